import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Account, accessSettings } from '#contracts/account.ts'
import { buckets } from '#contracts/subjects.ts'
import { type Accounts, openAccounts } from '#services/accounts.ts'
import { openAudit } from '#services/audit.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { answerOf } from '#test/support/human.ts'
import type { Access } from '../access/access.ts'
import { pass, useChecks } from '../access/gate.ts'
import { watchPolicy } from '../access/policy.ts'
import { utcDay } from '../access/rate-headers.ts'
import { type Challenges, openChallenges } from './challenges.ts'
import { type Members, openMembers } from './members.ts'
import { openTally } from './tally.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const hand = { request: new Request('http://gateway.invalid/'), holder: 'h', actor: 'member' }
const settings = accessSettings.parse({ signup: 'open', checkin_required: true, resetkey: true })

let broker: Broker
let stack: AsyncDisposableStack
let accounts: Accounts
let challenges: Challenges
let members: Members
let nowMs: number
let owners = 0

beforeAll(async () => {
  stack = new AsyncDisposableStack()
  broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  const backbone = broker.connect('ingress')
  const kv = await backbone.keyValue(buckets.access)
  const config = await backbone.keyValue(buckets.config)
  accounts = await openAccounts(kv, [])
  stack.defer(() => accounts.close())
  const policy = await watchPolicy(kv, config, settings)
  stack.defer(() => policy.close())
  const now = () => nowMs
  const tally = openTally(kv, now)
  challenges = openChallenges('a secret of this gateway', tally, now)
  const access = { addressOf: () => '192.0.2.1' } as unknown as Access
  members = openMembers({ kv, config, accounts, policy, access, audit: openAudit(kv, now), keyPrefix: 'fai_', now }, challenges, tally)
})
afterAll(() => stack.disposeAsync())
beforeEach(() => {
  nowMs = Date.UTC(2026, 0, 31, 12)
})

function solved() {
  const { id, question } = challenges.issue(hand.holder)
  return { challenge_id: id, answer: answerOf(question) }
}
const signUp = (owner: string) =>
  members.signUp({ owner, name: owner }, { ...solved(), use_case: 'I summarise the minutes of our club', bot_disclosure: 'no' }, hand)
async function fresh(): Promise<Account> {
  return (await signUp(`owner-${++owners}`)).account
}
const now = (account: Account) => accounts.find(account.key_hash) as Account
const checkIn = (account: Account) => members.checkIn(now(account), solved(), hand)
/** As the gate sees it, at this time. */
function isLetIn(account: Account): boolean {
  try {
    pass(useChecks, {
      caller: { kind: 'client', account: now(account) },
      settings,
      today: utcDay(nowMs),
      model: 'm',
      lockedBy: undefined,
      overlapWaitMs: 0,
    })
    return true
  } catch {
    return false // the only check that can fail here is that of the day
  }
}

describe('a check-in', () => {
  it.each<[string, number, number, boolean]>([
    ['the last ms of its day', Date.UTC(2026, 0, 31, 12), Date.UTC(2026, 1, 1) - 1, true],
    ['midnight UTC', Date.UTC(2026, 0, 31, 12), Date.UTC(2026, 1, 1), false],
    ['midnight, when it was made just before', Date.UTC(2026, 0, 31) - 1, Date.UTC(2026, 0, 31), false],
    ['the end of a leap day', Date.UTC(2028, 1, 29, 1), Date.UTC(2028, 2, 1) - 1, true],
    ['the day after a leap day', Date.UTC(2028, 1, 29, 1), Date.UTC(2028, 2, 1), false],
    ['the end of a year', Date.UTC(2026, 11, 31), Date.UTC(2027, 0, 1), false],
    ['an hour before, by a clock that was set back', Date.UTC(2026, 0, 31, 12), Date.UTC(2026, 0, 31, 11), true],
    ['the day before, by a clock that was set back', Date.UTC(2026, 0, 31, 12), Date.UTC(2026, 0, 30, 12), false],
  ])('at %s', async (_, madeMs, usedMs, holds) => {
    nowMs = madeMs
    const account = await fresh()
    expect(isLetIn(account)).toBe(false)
    const { validUntilMs } = await checkIn(account)
    expect(isLetIn(account)).toBe(true)
    expect(validUntilMs % DAY_MS).toBe(0)
    nowMs = usedMs
    expect(isLetIn(account)).toBe(holds)
  })

  it('can be made on every day, and by whoever has a clock that was wrong by years', async () => {
    const account = await fresh()
    for (const atMs of [Date.UTC(2026, 0, 31), Date.UTC(2026, 1, 1), Date.UTC(2033, 1, 1), Date.UTC(2026, 1, 1, 5)]) {
      nowMs = atMs
      expect(await checkIn(account)).toMatchObject({ day: utcDay(atMs), already: false })
      expect(isLetIn(account)).toBe(true)
    }
  })

  it('is made once a day', async () => {
    const account = await fresh()
    expect([(await checkIn(account)).already, (await checkIn(account)).already]).toEqual([false, true])
  })
})

describe('an owner', () => {
  it('has one key, and may sign up again once the staff has taken it away', async () => {
    const { account } = await signUp('gil')
    await expect(signUp('gil')).rejects.toMatchObject({ status: 409 })
    await accounts.remove(account.key_hash)
    // For a moment nobody can know whether the key was removed or has not been heard of yet.
    await expect(signUp('gil')).rejects.toMatchObject({ status: 409 })
    nowMs += 10_000
    expect((await signUp('gil')).account.owner).toBe('gil')
  })

  it('may try again at once when a sign-up came to nothing', async () => {
    await expect(
      members.signUp({ owner: 'hal', name: 'x'.repeat(65) }, { ...solved(), use_case: 'two words at least', bot_disclosure: 'no' }, hand),
    ).rejects.toThrow()
    expect((await signUp('hal')).account.owner).toBe('hal')
  })

  it('keeps account and history over a reset', async () => {
    const { account } = await signUp('ivy')
    const { account: after, key } = await members.resetKey(account, { ...solved(), reason: 'lost with my old laptop' }, hand)
    expect(after).toMatchObject({ id: account.id, owner: 'ivy', former_keys: [{ key_hash: account.key_hash, until_ms: nowMs }] })
    expect(accounts.find(account.key_hash)).toBeUndefined()
    expect(key).not.toBe(account.key_hash)
    await expect(members.resetKey(after, { ...solved(), reason: 'lost with my old laptop' }, hand)).rejects.toMatchObject({ status: 409 })
    nowMs += 10_000
    expect((await members.resetKey(after, { ...solved(), reason: 'lost with my old laptop' }, hand)).account.former_keys).toHaveLength(2)
  })
})

it('a new day opens sign-ups of an address again', async () => {
  const from = (i: number) =>
    members.signUp(
      { owner: `open-${nowMs}-${i}`, name: 'x', network: 'n' },
      { ...solved(), use_case: 'two words at least', bot_disclosure: 'no' },
      hand,
    )
  for (let i = 0; i < 5; i++) await from(i)
  await expect(from(5)).rejects.toMatchObject({ status: 429, retryAfterMs: 12 * HOUR_MS })
  nowMs += 12 * HOUR_MS
  await expect(from(0)).resolves.toMatchObject({ key: expect.stringMatching(/^fai_/) })
})
