import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { KeyValue } from '#contracts/bus.ts'
import { type Harness, openMemoryHarness } from '#test/support/backbones.ts'
import { BOT_TOKEN, type Reply, startDiscord, type Tampering, type TestDiscord } from '#test/support/discord.ts'
import { answerOf } from '#test/support/human.ts'
import { ADMITTED, asAdmin, call as callAt, chat as chatAt, type IngressWorld, openIngressWorld } from '#test/support/ingress.ts'

const VERIFIED = '111111111111111111'

let world: IngressWorld
let discord: TestDiscord
let url: string
let users = 0

/** How long every write to the store takes. */
let storeMs = 0

/** The bus, with a store that is as slow as `storeMs` says. */
async function openSlowBus(): Promise<Harness> {
  const bus = await openMemoryHarness()
  const slow = async (kv: KeyValue): Promise<KeyValue> => ({
    ...kv,
    async update(key, value, revision) {
      if (storeMs > 0) await new Promise((resolve) => setTimeout(resolve, storeMs))
      return kv.update(key, value, revision)
    },
  })
  return {
    ...bus,
    async connect(name) {
      const backbone = await bus.connect(name)
      return Object.create(backbone, { keyValue: { value: async (bucket: string) => slow(await backbone.keyValue(bucket)) } })
    },
  }
}

beforeAll(async () => {
  world = await openIngressWorld(openSlowBus)
  discord = await startDiscord()
  const access = {
    signup: 'community',
    checkin_required: true,
    resetkey: true,
    membership_required: true,
    discord_roles: { [VERIFIED]: 'verified' },
  }
  // Nobody is looked up while these tests run: what is known comes from the commands themselves.
  url = (await world.start({ ...discord.env, DISCORD_REFRESH_MS: '99999999' }, { access })).url
  await call('POST', '/api/clients', { name: 'operator' })
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  await discord[Symbol.asyncDispose]()
})
beforeEach(async () => {
  discord.mood = 'well'
  storeMs = 0
  await call('DELETE', '/api/settings')
})

const call = (method: string, path: string, body?: unknown) => callAt(url, method, path, body, asAdmin)
const chat = (key: string, model?: string) => chatAt(url, key, model)
const command = (user: string, name: string, tampering?: Tampering) => discord.command(url, user, name, tampering)

function join(roles: string[] = []): string {
  const user = String(200_000_000_000_000_000n + BigInt(++users))
  discord.members.set(user, roles)
  return user
}

const about = { use_case: 'I practise conversations in Welsh', bot_disclosure: 'No, only me' }
const fill = (user: string, form: Reply, fields: Record<string, string>) =>
  discord.submit(url, user, form, { answer: answerOf(form.form?.fields.get('answer')?.description ?? ''), ...fields })
const run = async (user: string, name: string, fields: Record<string, string>) => fill(user, await command(user, name), fields)
const keyIn = ({ text }: Reply) => /```\n(fai_\w+)\n```/.exec(text)?.[1] ?? `no key in: ${text}`
const signUp = async (user: string) => keyIn(await run(user, 'signup', about))

describe('whose request it is', () => {
  it('answers a ping that Discord has signed', async () => {
    const { status, body } = await discord.ping(url)
    expect([status, JSON.parse(body)]).toEqual([200, { type: 1 }])
  })

  const seconds = (by: number) => String(Math.floor(Date.now() / 1000) + by)
  it.each<[string, Tampering]>([
    ['another signature', { signature: '0'.repeat(128) }],
    ['no hexadecimal digits', { signature: 'z'.repeat(128) }],
    ['half a signature', { signature: 'ab'.repeat(32) }],
    ['an empty one', { signature: '' }],
    ['another body', { body: '{"type":1,"x":1}' }],
    ['an old time', { timestamp: seconds(-400) }],
    ['a time to come', { timestamp: seconds(400) }],
    ['an old one with a new time', { timestamp: seconds(-100), laterTimestamp: seconds(0) }],
    ['no time', { timestamp: 'now' }],
  ])('refuses %s', async (_, tampering) => {
    const { status, body } = await discord.ping(url, tampering)
    expect([status, JSON.parse(body).error]).toEqual([
      401,
      { message: 'invalid request signature', type: 'invalid_api_key', code: 'invalid_api_key', param: null },
    ])
  })

  it.each<[string, Tampering]>([
    ['another server', { guild: '900000000000000002' }],
    ['another application', { application: '800000000000000009' }],
    ['a direct message', { direct: true }],
  ])('takes no command from %s', async (_, tampering) => {
    const reply = await command(join(), 'signup', tampering)
    expect([reply.type, reply.text, reply.ephemeral]).toEqual([4, 'This command works on the server of the community alone.', true])
  })

  it('does not know other commands', async () => {
    for (const name of ['constructor', '__proto__', 'dance'])
      expect((await command(join(), name)).text).toBe('This gateway does not know that command.')
  })
})

describe('/signup', () => {
  it('asks in a form, and shows the key to its owner alone', async () => {
    const user = join()
    const form = await command(user, 'signup')
    expect(form.type).toBe(9)
    expect([...(form.form?.fields.keys() ?? [])]).toEqual(['use_case', 'bot_disclosure', 'answer'])
    const reply = await fill(user, form, about)
    expect([reply.type, reply.ephemeral]).toEqual([4, true])
    const key = keyIn(reply)
    const { owner, membership, clients } = (await call('GET', `/api/members/${user}`)).body
    expect({ owner, membership, ...clients[0] }).toMatchObject({ owner: user, membership: 'member', community_roles: ['member'], ...about })
    expect((await chat(key)).body.error.type).toBe('daily_checkin_required')
    expect(JSON.stringify((await call('GET', '/api/audit?limit=1')).body)).toContain(`discord ${user}`)
  })

  it('sends whoever has a key to /resetkey', async () => {
    const user = join()
    await signUp(user)
    expect((await command(user, 'signup')).text).toBe('This owner has a key already: reset it with /resetkey if it is lost.')
  })

  it('gives one key, however often the form is sent in', async () => {
    const user = join()
    const forms = await Promise.all([1, 2, 3].map(() => command(user, 'signup')))
    const replies = await Promise.all([...forms, ...forms].map((form) => fill(user, form, about)))
    expect(replies.filter(({ text }) => text.includes('fai_'))).toHaveLength(1)
    expect((await call('GET', `/api/members/${user}`)).body.clients).toHaveLength(1)
  })

  it.each([
    ['a wrong answer', { answer: 'nonsense' }, 'That answer is wrong. /signup asks you another question.'],
    ['no real use case', { use_case: 'asdfasdfasdfasdf' }, 'Expected a sentence in words.'],
  ])('refuses %s', async (_, change, text) => {
    const user = join()
    const reply = await run(user, 'signup', { ...about, ...change })
    expect([reply.text, reply.ephemeral]).toEqual([text, true])
    expect((await call('GET', `/api/members/${user}`)).status).toBe(404)
  })

  it('takes no form that somebody else was given', async () => {
    const [one, other] = [join(), join()]
    expect((await fill(other, await command(one, 'signup'), about)).text).toBe('That question has expired. /signup asks you another one.')
  })

  it('is switched off by the settings', async () => {
    await call('PATCH', '/api/settings', { signup: 'off' })
    expect((await command(join(), 'signup')).text).toBe('Sign-up is switched off on this gateway.')
  })
})

describe('/checkin', () => {
  it('opens the gateway for today', async () => {
    const user = join()
    const key = await signUp(user)
    const reply = await run(user, 'checkin', { key: ` ${key} ` })
    expect(reply.text).toMatch(/^You are checked in, until <t:\d+:t> \(00:00 UTC\)\.$/)
    expect((await chat(key)).status).toBe(ADMITTED)
    expect((await run(user, 'checkin', { key })).text).toContain('already')
  })

  it('takes no key of somebody else', async () => {
    const key = await signUp(join())
    const user = join()
    for (const sent of [key, 'fai_unknown', '']) {
      expect((await run(user, 'checkin', { key: sent })).text).toBe('This is not a key of yours: send the one from /signup or /resetkey.')
    }
    expect((await chat(key)).body.error.type).toBe('daily_checkin_required')
  })

  it('is not needed where the settings do not ask for it', async () => {
    await call('PATCH', '/api/settings', { checkin_required: false })
    expect((await command(join(), 'checkin')).text).toBe('No check-in is needed on this gateway.')
  })
})

describe('/resetkey', () => {
  it('gives another key for the same account', async () => {
    const user = join()
    const old = await signUp(user)
    await run(user, 'checkin', { key: old })
    const { clients } = (await call('GET', `/api/members/${user}`)).body
    const key = keyIn(await run(user, 'resetkey', { reason: 'I lost it with my old laptop' }))
    expect([(await chat(old)).status, (await chat(key)).status]).toEqual([401, ADMITTED])
    expect((await call('GET', `/api/members/${user}`)).body.clients).toMatchObject([{ id: clients[0].id }])
  })

  it('is for whoever has a key', async () => {
    expect((await command(join(), 'resetkey')).text).toBe('You have no key yet: get one with /signup.')
  })

  it('is not for whoever is paused', async () => {
    const user = join()
    await signUp(user)
    await call('PATCH', `/api/members/${user}`, { paused: true })
    expect((await command(user, 'resetkey')).text).toBe('Your account is paused by the staff.')
  })
})

it('obeys freeway.json where the settings say nothing, and the settings where they do', async () => {
  const now = async () => {
    const { signup, resetkey, member_limits, discord_roles } = (await call('GET', '/api/settings')).body
    return { signup, resetkey, rpm: member_limits.rpm_limit, roles: Object.keys(discord_roles) }
  }
  const configured = { signup: 'community', resetkey: true, rpm: 60, roles: [VERIFIED] }
  expect(await now()).toEqual(configured)
  await call('PATCH', '/api/settings', { resetkey: false, discord_roles: {}, member_limits: { rpm_limit: null } })
  expect(await now()).toEqual({ ...configured, resetkey: false, rpm: null, roles: [] })
  await call('DELETE', '/api/settings')
  expect(await now()).toEqual(configured)
})

describe('membership', () => {
  it('is taken over from every command: roles, and coming back', async () => {
    const user = join()
    const key = await signUp(user)
    await run(user, 'checkin', { key })
    expect((await chat(key, 'alpha/locked')).body.error.type).toBe('model_access_denied')
    discord.members.set(user, [VERIFIED])
    await command(user, 'checkin')
    expect((await chat(key, 'alpha/locked')).status).toBe(ADMITTED)
    await call('PATCH', `/api/members/${user}`, { membership: 'left' })
    expect((await chat(key)).body.error.type).toBe('discord_membership_required')
    await command(user, 'checkin')
    expect((await chat(key)).status).toBe(ADMITTED)
  })

  it('gives nothing that a rule of yesterday gave, and takes nothing that the staff gave', async () => {
    const user = join([VERIFIED])
    const key = await signUp(user)
    await call('PATCH', `/api/members/${user}`, { roles: ['staff'], checked_in: new Date().toISOString().slice(0, 10) })
    expect((await chat(key, 'alpha/locked')).status).toBe(ADMITTED)
    await call('PATCH', '/api/settings', { discord_roles: {} })
    await command(user, 'checkin')
    expect((await chat(key, 'alpha/locked')).body.error.type).toBe('model_access_denied')
    expect((await call('GET', `/api/members/${user}`)).body.clients[0]).toMatchObject({ roles: ['staff'], community_roles: ['member'] })
  })

  const vouchFor = async (owner: string) => {
    const { id, question } = (await call('GET', '/api/challenge')).body
    const body = { owner, ...about, challenge_id: id, answer: answerOf(question) }
    const { status, body: answer, headers } = await call('POST', '/api/signup', body)
    return [status, answer.error?.type ?? answer.community_roles, headers.get('retry-after') !== null]
  }

  it('is looked up for whom the admin vouches', async () => {
    expect(await vouchFor(join([VERIFIED]))).toEqual([201, ['member', 'verified'], false])
    expect(await vouchFor('299999999999999999')).toEqual([403, 'discord_membership_required', false])
    expect(await vouchFor('a-name-elsewhere')).toEqual([201, [], false])
  })

  it('is an error of its own while Discord fails, and is looked up again afterwards', async () => {
    const user = join()
    discord.mood = 'down'
    expect(await vouchFor(user)).toEqual([503, 'discord_membership_error', true])
    discord.mood = 'limited'
    expect(await vouchFor(user)).toEqual([503, 'discord_membership_error', true])
    expect(await vouchFor(user)).toEqual([201, ['member'], false])
  })

  it('is asked for once a minute', async () => {
    const user = '299999999999999998'
    await vouchFor(user)
    await vouchFor(user)
    expect(discord.calls.filter((call) => call.endsWith(user))).toHaveLength(1)
  })
})

it('slows down whoever gives too many commands', async () => {
  const user = join()
  const replies = await Promise.all(Array.from({ length: 21 }, () => command(user, 'signup')))
  expect(replies.filter(({ text }) => text === 'Slow down: try again in a minute.')).toHaveLength(1)
  expect((await command(join(), 'signup')).type).toBe(9)
})

describe('what takes longer than Discord waits', () => {
  it('is said to come later, and handed in when it is there', async () => {
    const user = join()
    const form = await command(user, 'signup')
    storeMs = 1_600
    const reply = await fill(user, form, about)
    expect([reply.type, reply.ephemeral, reply.text]).toEqual([5, true, ''])
    const text = (await reply.later) ?? ''
    expect((await chat(keyIn({ ...reply, text }))).body.error.type).toBe('daily_checkin_required')
    expect(discord.calls.filter((call) => call.startsWith('PATCH'))).toHaveLength(1)
  })

  it('is handed in also if it failed, and after Discord was away itself', async () => {
    const user = join()
    const form = await command(user, 'signup')
    storeMs = 1_600
    const reply = await fill(user, form, { ...about, answer: 'nonsense' })
    expect(reply.type).toBe(5)
    discord.mood = 'down'
    const before = discord.calls.length
    await expect.poll(() => discord.calls.slice(before).some((call) => call.startsWith('PATCH')), { timeout: 5_000 }).toBe(true)
    discord.mood = 'limited'
    expect(await reply.later).toBe('That answer is wrong. /signup asks you another question.')
  })

  it('does not keep a form waiting, which cannot come later', async () => {
    const user = join()
    await signUp(user)
    discord.members.set(user, [VERIFIED])
    storeMs = 2_500
    const form = await command(user, 'checkin')
    expect(form.type).toBe(9)
    await expect
      .poll(async () => (await call('GET', `/api/members/${user}`)).body.clients[0].community_roles, { timeout: 5_000 })
      .toEqual(['member', 'verified'])
  })
})

it('says that the store is away', async () => {
  const user = join()
  const form = await command(user, 'signup')
  const reconnect = await world.cutOff()
  const { text, ephemeral } = await fill(user, form, about)
  await reconnect()
  expect([text, ephemeral]).toEqual(['The store of the gateway cannot be reached.', true])
  expect(keyIn(await fill(user, form, about))).toMatch(/^fai_/)
})

it('writes no token and no key down', async () => {
  const user = join()
  const key = await signUp(user)
  await run(user, 'checkin', { key })
  const written = world.lines.join('\n') + (await world.stored())
  for (const secret of [key, BOT_TOKEN, BOT_TOKEN.slice(4), 'interaction-token-canary']) expect(written).not.toContain(secret)
  expect(written).toContain(user)
})
