// What members may do once only, over several replicas on either bus, however many of them are asked at the same time.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeAdapters } from '#test/support/adapters.ts'
import { answerOf } from '#test/support/human.ts'
import { ADMITTED, asAdmin, bearer, call, chat, type IngressWorld, openIngressWorld } from '#test/support/ingress.ts'

const about = { use_case: 'I sort letters for my parish', bot_disclosure: 'no' }

describeAdapters('members', (open) => {
  let world: IngressWorld
  let urls: [string, string, string]

  beforeAll(async () => {
    world = await openIngressWorld(open)
    const start = async () =>
      (await world.start({ FREEWAY_TRUSTED_PROXIES: '127.0.0.1' }, { access: { signup: 'open', resetkey: true } })).url
    urls = [await start(), await start(), await start()]
  })
  afterAll(() => world[Symbol.asyncDispose]())

  const everywhere = <T>(each: (url: string, i: number) => Promise<T>) => Promise.all([...urls, ...urls, ...urls].map(each))
  const from = (address: string) => ({ 'x-forwarded-for': address })
  async function solved(address: string): Promise<{ challenge_id: string; answer: string }> {
    const { body } = await call(urls[0], 'GET', '/api/challenge', undefined, from(address))
    return { challenge_id: body.id, answer: answerOf(body.question) }
  }
  const outcomes = (answers: { status: number; body: { error?: { code: string } } }[]) =>
    answers.map(({ status, body }) => body.error?.code ?? status).sort()

  test('one challenge lets one in', async () => {
    const challenge = await solved('192.0.2.1')
    const answers = await everywhere((url, i) => call(url, 'POST', '/api/signup', { ...about, ...challenge, owner: `owner-${i}` }, asAdmin))
    expect(outcomes(answers)).toEqual([201, ...Array(8).fill('challenge_used')])
  })

  test('a challenge takes three wrong answers, wherever they come in', async () => {
    const { challenge_id, answer } = await solved('192.0.2.1')
    const wrong = await everywhere((url) =>
      call(url, 'POST', '/api/signup', { ...about, challenge_id, answer: 'nonsense', owner: 'nobody' }, asAdmin),
    )
    expect(outcomes(wrong)).toEqual([...Array(6).fill('challenge_used'), ...Array(3).fill('wrong_answer')])
    const right = await call(urls[1], 'POST', '/api/signup', { ...about, challenge_id, answer, owner: 'nobody' }, asAdmin)
    expect(outcomes([right])).toEqual(['challenge_used'])
  })

  test('one owner gets one key', async () => {
    const challenges = await Promise.all(Array.from({ length: 9 }, () => solved('192.0.2.2')))
    const answers = await everywhere((url, i) => call(url, 'POST', '/api/signup', { ...about, ...challenges[i], owner: 'ann' }, asAdmin))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(8).fill(409)])
    expect((await call(urls[2], 'GET', '/api/members/ann', undefined, asAdmin)).body.clients).toHaveLength(1)
  })

  test('one address gets five keys a day', async () => {
    const challenges = await Promise.all(Array.from({ length: 9 }, () => solved('192.0.2.3')))
    const answers = await everywhere((url, i) => call(url, 'POST', '/api/signup', { ...about, ...challenges[i] }, from('192.0.2.9')))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(5).fill(201), ...Array(4).fill(429)])
  })

  test('a check-in on one replica opens all of them, and so does a setting ask for it', async () => {
    const { api_key } = (await call(urls[0], 'POST', '/api/signup', { ...about, ...(await solved('192.0.2.4')), owner: 'bea' }, asAdmin))
      .body
    const statuses = () => Promise.all(urls.map(async (url) => (await chat(url, api_key)).status))
    await call(urls[1], 'PATCH', '/api/settings', { checkin_required: true }, asAdmin)
    await expect.poll(statuses).toEqual([403, 403, 403])
    const checkedIn = await call(urls[2], 'POST', '/api/checkin', await solved('192.0.2.4'), bearer(api_key))
    expect(checkedIn.status).toBe(200)
    await expect.poll(statuses).toEqual([ADMITTED, ADMITTED, ADMITTED])
    await call(urls[1], 'DELETE', '/api/settings', undefined, asAdmin)
  })

  test('a reset leaves one living key, known to all', async () => {
    const form = { ...about, ...(await solved('192.0.2.5')), owner: 'cy' }
    const { api_key } = (await call(urls[0], 'POST', '/api/signup', form, asAdmin)).body
    await expect.poll(async () => (await chat(urls[2], api_key)).status).toBe(ADMITTED)
    const challenges = await Promise.all(Array.from({ length: 9 }, () => solved('192.0.2.5')))
    const answers = await everywhere((url, i) =>
      call(url, 'POST', '/api/resetkey', { ...challenges[i], reason: 'it was in a screenshot of mine' }, bearer(api_key)),
    )
    const fresh = answers.filter(({ status }) => status === 200).map(({ body }) => body.api_key)
    expect(fresh).toHaveLength(1)
    const statuses = (key: string) => Promise.all(urls.map(async (url) => (await chat(url, key)).status))
    await expect.poll(() => statuses(fresh[0])).toEqual([ADMITTED, ADMITTED, ADMITTED])
    await expect.poll(() => statuses(api_key)).toEqual([401, 401, 401])
  })
})
