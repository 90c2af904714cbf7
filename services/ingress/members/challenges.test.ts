import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FreewayError } from '#contracts/failure.ts'
import { buckets } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { answerOf } from '#test/support/human.ts'
import { CHALLENGE_MS, type Challenges, openChallenges, TRIES } from './challenges.ts'
import { openTally } from './tally.ts'

const secret = 'Zk3vQ9xR7mW2pL5tN8bH'
const HOUR_MS = 3_600_000
const start = Date.UTC(2026, 0, 31, 23, 58)

let broker: Broker
let nowMs: number
let challenges: Challenges
let other: Challenges
const now = () => nowMs

async function replica(withSecret = secret): Promise<Challenges> {
  return openChallenges(withSecret, openTally(await broker.connect('ingress').keyValue(buckets.access), now), now)
}
beforeAll(async () => {
  broker = await openMemoryBroker()
  challenges = await replica()
  other = await replica()
})
afterAll(() => broker.close())
beforeEach(() => {
  nowMs = start
})

const WRONG = 'certainly not'
const codeOf = (judged: Promise<void>) =>
  judged.then(
    () => 'ok',
    (error) => (error instanceof FreewayError && error.status === 400 ? error.code : Promise.reject(error)),
  )
const solve = (on: Challenges, { id, question }: { id: string; question: string }, holder = 'h') =>
  codeOf(on.judge({ id, answer: answerOf(question) }, holder))
const miss = (on: Challenges, { id }: { id: string }) => codeOf(on.judge({ id, answer: WRONG }, 'h'))

describe('a challenge', () => {
  it('is met once, on any replica', async () => {
    const challenge = challenges.issue('h')
    expect([await solve(other, challenge), await solve(other, challenge), await solve(challenges, challenge)]).toEqual([
      'ok',
      'challenge_used',
      'challenge_used',
    ])
  })

  it('takes a few wrong answers, counted over all replicas, and no right one after them', async () => {
    const challenge = challenges.issue('h')
    for (let i = 0; i < TRIES; i++) expect(await miss(i % 2 ? challenges : other, challenge)).toBe('wrong_answer')
    expect([await miss(other, challenge), await solve(challenges, challenge)]).toEqual(['challenge_used', 'challenge_used'])
  })

  it('is still met after a wrong answer, and says how many tries are left', async () => {
    const challenge = challenges.issue('h')
    await expect(challenges.judge({ id: challenge.id, answer: WRONG }, 'h')).rejects.toMatchObject({
      param: 'answer',
      message: 'wrong answer: 2 more tries with this challenge',
    })
    expect(await solve(challenges, challenge)).toBe('ok')
  })

  it.each([
    ['just before it expires', CHALLENGE_MS - 1_000, 'ok'],
    ['when it expires', CHALLENGE_MS, 'challenge_expired'],
    ['the next day', 24 * HOUR_MS, 'challenge_expired'],
    ['by a replica whose clock is somewhat behind', -50_000, 'ok'],
    ['by a clock that was set back by an hour', -HOUR_MS, 'challenge_expired'],
    ['by a clock that was set back by a month', -31 * 24 * HOUR_MS, 'challenge_expired'],
  ])('judged %s', async (_, byMs, outcome) => {
    const challenge = challenges.issue('h')
    nowMs += byMs
    expect(await solve(challenges, challenge)).toBe(outcome)
  })

  it('is not met again when clocks jump to and fro', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -2 * HOUR_MS, max: HOUR_MS / 2 }), { minLength: 1, maxLength: 5 }), async (jumps) => {
        nowMs = start
        const challenge = challenges.issue('h')
        expect(await solve(challenges, challenge)).toBe('ok')
        for (const jump of jumps) {
          nowMs = start + jump
          // Others' answers are what makes old counts be forgotten.
          await miss(other, other.issue('h'))
          expect(await solve(other, challenge)).not.toBe('ok')
        }
      }),
      { numRuns: 40 },
    )
  })

  it('is nobody else’s to answer', async () => {
    const challenge = challenges.issue('h')
    expect(await solve(challenges, challenge, 'another')).toBe('challenge_expired')
    expect(await solve(challenges, challenge)).toBe('ok')
  })

  it('cannot be made by whoever lacks the secret, nor given more time', async () => {
    const forged = await (await replica('another secret of somebody')).issue('h')
    expect(await solve(challenges, forged)).toBe('challenge_expired')
    const bytes = Buffer.from(challenges.issue('h').id, 'base64url')
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed[i] = (changed[i] as number) ^ 1
      expect(await codeOf(challenges.judge({ id: changed.toString('base64url'), answer: '1' }, 'h'))).toBe('challenge_expired')
    }
  })

  it.each(['', 'x', '=', '💥', 'A'.repeat(47), 'A'.repeat(48), 'A'.repeat(49), '../../etc'])('is not %j', async (id) => {
    expect(await codeOf(challenges.judge({ id, answer: '1' }, 'h'))).toBe('challenge_expired')
  })

  it('has no second spelling by which it could be used twice', async () => {
    const challenge = challenges.issue('h')
    expect(await solve(challenges, challenge)).toBe('ok')
    for (const id of [`${challenge.id}=`, ` ${challenge.id}`, challenge.id.replaceAll('-', '+').replaceAll('_', '/').concat('\n')]) {
      expect(await solve(challenges, { ...challenge, id })).not.toBe('ok')
    }
  })

  it('is another one each time', () => {
    const ids = new Set(Array.from({ length: 2_000 }, () => challenges.issue('h').id))
    expect(ids.size).toBe(2_000)
  })
})

describe('what has been answered', () => {
  it('is forgotten when it does not matter any more', async () => {
    const kv = await broker.connect('ingress').keyValue(buckets.access)
    const bytes = async () => {
      let sum = 0
      const watch = await kv.watch('tally.*', ({ value }) => {
        sum += value?.length ?? 0
      })
      watch.unsubscribe()
      return sum
    }
    for (let i = 0; i < 300; i++) await miss(challenges, challenges.issue('h'))
    const full = await bytes()
    nowMs += 3 * HOUR_MS
    for (let i = 0; i < 100; i++) await miss(challenges, challenges.issue('h'))
    expect(await bytes()).toBeLessThan(full / 2)
  })
})
