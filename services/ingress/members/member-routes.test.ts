import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { answerOf } from '#test/support/human.ts'
import {
  ADMITTED,
  type Answer,
  asAdmin,
  bearer,
  call as callAt,
  chat as chatAt,
  type IngressWorld,
  openIngressWorld,
} from '#test/support/ingress.ts'

let world: IngressWorld
let url: string
let second: string
let addresses = 0

const call = (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  callAt(url, method, path, body, headers)
const chat = (key: string) => chatAt(url, key)
/** Somebody at another address each time. */
const from = (address = `10.${(++addresses >> 8) & 255}.${addresses & 255}.1`) => ({ 'x-forwarded-for': address })

const useCase = 'I translate letters for my neighbours'
const reason = 'I pasted it into a public chat by mistake'

async function solved(change: object = {}): Promise<object> {
  const { body } = await call('GET', '/api/challenge', undefined, from())
  return { challenge_id: body.id, answer: answerOf(body.question), ...change }
}
const signUp = async (change: object = {}, headers: Record<string, string> = from()) =>
  call('POST', '/api/signup', { ...(await solved()), use_case: useCase, bot_disclosure: 'no', ...change }, headers)
const checkIn = async (key: string, change: object = {}) =>
  call('POST', '/api/checkin', await solved(change), { ...bearer(key), ...from() })
const resetKey = async (key: string, change: object = {}) =>
  call('POST', '/api/resetkey', await solved({ reason, ...change }), { ...bearer(key), ...from() })
const settings = (change: object) => call('PATCH', '/api/settings', change, asAdmin)
const problem = ({ status, body }: Answer) => [status, body.error?.type, body.error?.code, body.error?.param]

beforeAll(async () => {
  world = await openIngressWorld()
  url = (await world.start({ FREEWAY_TRUSTED_PROXIES: '127.0.0.1,::1' })).url
  second = (await world.start({ FREEWAY_TRUSTED_PROXIES: '127.0.0.1,::1' })).url
  await call('POST', '/api/clients', { name: 'operator' }, asAdmin)
})
afterAll(() => world[Symbol.asyncDispose]())
beforeEach(() => settings({ signup: 'open', checkin_required: true, resetkey: true }))
afterEach(async () => {
  await call('DELETE', '/api/settings', undefined, asAdmin)
  for (const { id } of (await call('GET', '/api/bans', undefined, asAdmin)).body)
    await call('DELETE', `/api/bans/${id}`, undefined, asAdmin)
})

describe('a gateway without a community', () => {
  it.each([
    ['GET', '/api/challenge'],
    ['POST', '/api/challenge'],
    ['POST', '/api/signup'],
    ['POST', '/api/checkin'],
    ['POST', '/api/resetkey'],
  ])('has nothing at %s %s', async (method, path) => {
    const { api_key } = (await call('POST', '/api/clients', { name: 'app' }, asAdmin)).body
    await call('DELETE', '/api/settings', undefined, asAdmin)
    expect(problem(await call(method, path, method === 'GET' ? undefined : {}, bearer(api_key)))).toEqual([
      404,
      'invalid_request_error',
      'invalid_request_error',
      null,
    ])
  })

  it('may switch on one of them alone', async () => {
    await settings({ signup: 'off', checkin_required: false, resetkey: true })
    expect((await call('GET', '/api/challenge', undefined, from())).status).toBe(200)
    expect((await signUp()).status).toBe(404)
    const { api_key } = (await call('POST', '/api/clients', { name: 'app' }, asAdmin)).body
    expect([(await checkIn(api_key)).status, (await resetKey(api_key)).status]).toEqual([404, 200])
  })
})

describe('a challenge', () => {
  it.each(['GET', 'POST'])('is had by %s', async (method) => {
    const { status, body, headers } = await call(method, '/api/challenge', undefined, from())
    expect(status).toBe(method === 'GET' ? 200 : 201)
    expect(body).toEqual({
      id: expect.stringMatching(/^[\w-]{48}$/),
      question: expect.stringMatching(/[?.]$/),
      expires_at: expect.any(Number),
    })
    expect(body.expires_at - Date.now() / 1000).toBeGreaterThan(200)
    expect(headers.get('cache-control')).toBe('no-store')
  })

  it('is refused to a banned address, and so is a sign-up', async () => {
    await call('POST', '/api/bans', { address: '203.0.113.9' }, asAdmin)
    const banned = from('203.0.113.9')
    expect(problem(await call('GET', '/api/challenge', undefined, banned))).toEqual([403, 'ip_blacklisted', 'ip_blacklisted', null])
    expect(problem(await signUp({}, banned))).toEqual([403, 'ip_blacklisted', 'ip_blacklisted', null])
  })

  it('is refused to whoever asks for too many, and to nobody else', async () => {
    const many = await Promise.all(Array.from({ length: 61 }, () => call('GET', '/api/challenge', undefined, from('198.51.100.1'))))
    const refused = many.filter(({ status }) => status !== 200)
    expect(refused.map(problem)).toEqual([[429, 'rate_limit_error', 'rate_limit_error', null]])
    expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await call('GET', '/api/challenge', undefined, from('198.51.100.2'))).status).toBe(200)
    expect((await call('GET', '/api/challenge', undefined, { ...asAdmin, ...from('198.51.100.1') })).status).toBe(200)
  })
})

describe('sign-up', () => {
  it('gives a key, shown once, with the limits of members', async () => {
    await settings({ member_limits: { rpm_limit: 7, daily_limit: 100 }, checkin_required: false })
    const { status, body, headers } = await signUp({ name: 'ann' })
    expect(status).toBe(201)
    expect(body).toMatchObject({
      api_key: expect.stringMatching(/^fai_/),
      name: 'ann',
      rpm_limit: 7,
      daily_limit: 100,
      max_concurrency: null,
      use_case: useCase,
      bot_disclosure: 'no',
      owner: expect.stringMatching(/^open-/),
    })
    expect(headers.get('cache-control')).toBe('no-store')
    expect((await chat(body.api_key)).status).toBe(ADMITTED)
    expect(JSON.stringify((await call('GET', '/api/members', undefined, asAdmin)).body)).not.toContain(body.api_key)
    expect(await world.stored()).not.toContain(body.api_key)
    expect(world.lines.join('\n')).not.toContain(body.api_key)
  })

  it.each([
    ['no use case', { use_case: undefined }, 'use_case'],
    ['a use case without a word', { use_case: 'aaaaaaaaaaaaaaaaaaaa' }, 'use_case'],
    ['a use case of one word', { use_case: 'experimentation' }, 'use_case'],
    ['nothing about bots', { bot_disclosure: ' ' }, 'bot_disclosure'],
    ['no challenge', { challenge_id: undefined }, 'challenge_id'],
    ['no answer', { answer: undefined }, 'answer'],
    ['a name that is too long', { name: 'x'.repeat(65) }, 'name'],
  ])('refuses %s', async (_, change, param) => {
    expect(problem(await signUp(change))).toEqual([400, 'invalid_request_error', 'invalid_request_error', param])
  })

  it('takes no form of any size', async () => {
    expect((await signUp({ padding: 'x'.repeat(200_000) })).status).toBe(413)
  })

  it('refuses a wrong answer, and a challenge that was used', async () => {
    expect(problem(await signUp({ answer: 'nonsense' }))).toEqual([400, 'invalid_request_error', 'wrong_answer', 'answer'])
    const used = await solved()
    expect((await signUp(used)).status).toBe(201)
    expect(problem(await signUp(used))).toEqual([400, 'invalid_request_error', 'challenge_used', 'challenge_id'])
    expect(problem(await signUp({ challenge_id: 'x' }))).toEqual([400, 'invalid_request_error', 'challenge_expired', 'challenge_id'])
  })

  it('sends whoever has a key to the reset', async () => {
    const { api_key } = (await signUp()).body
    const again = await signUp({}, bearer(api_key))
    expect(problem(again)).toEqual([409, 'invalid_request_error', 'invalid_request_error', 'owner'])
    expect(again.body.error.message).toContain('/api/resetkey')
  })

  it('gives one address a few keys a day alone', async () => {
    const statuses = []
    for (let i = 0; i < 6; i++) statuses.push((await signUp({}, from('192.0.2.77'))).status)
    expect(statuses).toEqual([201, 201, 201, 201, 201, 429])
    const refused = await signUp({}, from('192.0.2.77'))
    expect(refused.headers.get('x-should-retry')).toBe('false')
    expect(
      (await callAt(second, 'POST', '/api/signup', { ...(await solved()), use_case: useCase, bot_disclosure: 'no' }, from('192.0.2.77')))
        .status,
    ).toBe(429)
  })

  describe('where the admin vouches', () => {
    beforeEach(() => settings({ signup: 'community' }))

    it('is for whom the admin names', async () => {
      expect(problem(await signUp())).toEqual([401, 'invalid_api_key', 'invalid_api_key', null])
      expect(problem(await signUp({}, { ...bearer('fai_wrong'), ...from() }))).toEqual([401, 'invalid_api_key', 'invalid_api_key', null])
      expect(problem(await signUp({}, asAdmin))).toEqual([400, 'invalid_request_error', 'invalid_request_error', 'owner'])
      const { status, body } = await signUp({ owner: 'bea' }, asAdmin)
      expect([status, body.owner, body.name]).toEqual([201, 'bea', 'bea'])
    })

    it('gives an owner one key, also where two replicas are asked at once', async () => {
      const body = { use_case: useCase, bot_disclosure: 'a bot that answers mail', owner: 'cleo' }
      const forms = await Promise.all(Array.from({ length: 6 }, () => solved(body)))
      const answers = await Promise.all(forms.map((form, i) => callAt(i % 2 ? url : second, 'POST', '/api/signup', form, asAdmin)))
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409, 409])
      expect((await call('GET', '/api/members/cleo', undefined, asAdmin)).body.clients).toHaveLength(1)
    })
  })
})

describe('check-in', () => {
  it('opens the gateway until midnight UTC', async () => {
    const { api_key } = (await signUp()).body
    expect(problem(await chat(api_key))).toEqual([403, 'daily_checkin_required', 'daily_checkin_required', null])
    const { status, body } = await checkIn(api_key)
    expect(status).toBe(200)
    expect(body.checked_in).toBe(new Date().toISOString().slice(0, 10))
    expect(body.valid_until).toBe(Date.parse(`${body.checked_in}T00:00:00Z`) / 1000 + 86_400)
    expect((await chat(api_key)).status).toBe(ADMITTED)
  })

  it('is no fault when it is repeated, and leaves the challenge as it is', async () => {
    const { api_key } = (await signUp()).body
    const first = await checkIn(api_key)
    const challenge = await solved()
    const again = await call('POST', '/api/checkin', challenge, { ...bearer(api_key), ...from() })
    expect([again.status, again.body]).toEqual([200, first.body])
    expect((await resetKey(api_key, challenge)).status).toBe(200)
  })

  it.each<[string, (key: string) => Promise<Answer>, unknown[]]>([
    ['a wrong answer', (key) => checkIn(key, { answer: 'nonsense' }), [400, 'invalid_request_error', 'wrong_answer', 'answer']],
    [
      'no challenge',
      (key) => checkIn(key, { challenge_id: undefined }),
      [400, 'invalid_request_error', 'invalid_request_error', 'challenge_id'],
    ],
    ['no key', async () => call('POST', '/api/checkin', await solved(), from()), [401, 'invalid_api_key', 'invalid_api_key', null]],
    ['a wrong key', () => checkIn('fai_unknown'), [401, 'invalid_api_key', 'invalid_api_key', null]],
    ['the admin', () => checkIn(asAdmin['x-admin-token']), [400, 'invalid_request_error', 'invalid_request_error', null]],
    [
      'a paused account',
      async (key) => {
        const { owner } = (await call('GET', '/api/clients', undefined, asAdmin)).body.at(-1)
        await call('PATCH', `/api/members/${owner}`, { paused: true }, asAdmin)
        return checkIn(key)
      },
      [403, 'user_paused', 'user_paused', null],
    ],
  ])('refuses %s', async (_, act, expected) => {
    const { api_key } = (await signUp()).body
    expect(problem(await act(api_key))).toEqual(expected)
  })

  it('counts for all keys of an owner', async () => {
    const keys = []
    for (const name of ['one', 'two']) keys.push((await call('POST', '/api/clients', { name, owner: 'emma' }, asAdmin)).body.api_key)
    expect((await checkIn(keys[0])).status).toBe(200)
    expect((await chat(keys[1])).status).toBe(ADMITTED)
  })
})

describe('reset', () => {
  beforeEach(() => settings({ checkin_required: false }))

  it('replaces the key, and leaves the account as it is', async () => {
    const old = (await signUp()).body
    const { status, body } = await resetKey(old.api_key)
    expect(status).toBe(200)
    expect(body).toMatchObject({ id: old.id, owner: old.owner, use_case: useCase, former_keys: [{ key_hash: old.key_hash }] })
    expect([(await chat(old.api_key)).status, (await chat(body.api_key)).status]).toEqual([401, ADMITTED])
    const [entry] = (await call('GET', '/api/audit?limit=1', undefined, asAdmin)).body
    expect(entry).toMatchObject({ action: 'member.resetkey', actor: 'member', target: old.id, after: { reason } })
    expect(JSON.stringify(entry)).not.toContain(body.api_key)
  })

  it('replaces a lost key of whom the admin vouches for', async () => {
    const old = (await signUp({ owner: 'fay' }, asAdmin)).body
    expect(problem(await resetKey(asAdmin['x-admin-token']))).toEqual([400, 'invalid_request_error', 'invalid_request_error', 'owner'])
    expect(problem(await resetKey(asAdmin['x-admin-token'], { owner: 'nobody' }))).toEqual([
      404,
      'invalid_request_error',
      'invalid_request_error',
      'owner',
    ])
    const { body } = await resetKey(asAdmin['x-admin-token'], { owner: 'fay' })
    expect(body.id).toBe(old.id)
    expect([(await chat(old.api_key)).status, (await chat(body.api_key)).status]).toEqual([401, ADMITTED])
  })

  it.each([
    ['no reason', { reason: undefined }, 'invalid_request_error', 'reason'],
    ['a reason that is none', { reason: 'asdf asdf asdf asdf' }, 'invalid_request_error', 'reason'],
    ['a wrong answer', { answer: 'nonsense' }, 'wrong_answer', 'answer'],
  ])('refuses %s, and the key lives on', async (_, change, code, param) => {
    const { api_key } = (await signUp()).body
    expect(problem(await resetKey(api_key, change))).toEqual([400, 'invalid_request_error', code, param])
    expect((await chat(api_key)).status).toBe(ADMITTED)
  })

  it('leaves one key alone, however many ask at once', async () => {
    const { api_key, owner } = (await signUp()).body
    const forms = await Promise.all(Array.from({ length: 4 }, () => solved({ reason })))
    const answers = await Promise.all(
      forms.map((form, i) => callAt(i % 2 ? url : second, 'POST', '/api/resetkey', form, { ...bearer(api_key), ...from() })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect((await call('GET', `/api/members/${owner}`, undefined, asAdmin)).body.clients).toHaveLength(1)
  })
})

it('says that the store is away, and leaves things as they were', async () => {
  await settings({ checkin_required: false })
  const { api_key } = (await signUp()).body
  const challenges = [await solved(), await solved({ reason })]
  const reconnect = await world.cutOff()
  const forms = { use_case: useCase, bot_disclosure: 'no', ...challenges[0] }
  expect(problem(await call('POST', '/api/signup', forms, from()))).toEqual([503, 'server_error', 'server_error', null])
  expect(problem(await call('POST', '/api/resetkey', challenges[1], { ...bearer(api_key), ...from() }))).toEqual([
    503,
    'server_error',
    'server_error',
    null,
  ])
  await reconnect()
  expect((await chat(api_key)).status).toBe(ADMITTED)
  expect((await call('POST', '/api/signup', forms, from())).status).toBe(201)
})
