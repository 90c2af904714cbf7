import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { accessSettings } from '#contracts/account.ts'
import type { Backbone } from '#contracts/bus.ts'
import { accessKeys, buckets } from '#contracts/subjects.ts'
import { type Accounts, accountId, openAccounts } from '#services/accounts.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { hashOfKey, newClientKey } from '#services/client-key.ts'
import { openDiscord } from '#services/discord.ts'
import { readDiscordSettings } from '#services/discord-settings.ts'
import { createLogger } from '#services/logger.ts'
import { BOT_TOKEN, startDiscord, type TestDiscord } from '#test/support/discord.ts'
import { watchPolicy } from '../access/policy.ts'
import { openRoster, type Roster } from './roster.ts'
import { openTally } from './tally.ts'

const HOUR_MS = 3_600_000
const REFRESH_MS = 300_000
const VERIFIED = '111111111111111111'
const [ann, bob, cy] = ['200000000000000001', '200000000000000002', '200000000000000003'] as const

let stack: AsyncDisposableStack
let discord: TestDiscord
let broker: Broker
let accounts: Accounts
let nowMs: number
let lines: string[]
const now = () => nowMs

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  discord = await startDiscord()
  stack.defer(() => discord[Symbol.asyncDispose]())
  broker = await openMemoryBroker()
  stack.defer(() => broker.close())
  lines = []
  nowMs = Date.UTC(2026, 0, 31, 12)
  accounts = await openAccounts(await broker.connect('ingress').keyValue(buckets.access), [])
  stack.defer(() => accounts.close())
})
afterEach(() => stack.disposeAsync())

async function replica(backbone: Backbone = broker.connect('ingress')): Promise<Roster> {
  const kv = await backbone.keyValue(buckets.access)
  const policy = await watchPolicy(
    kv,
    await backbone.keyValue(buckets.config),
    accessSettings.parse({ discord_roles: { [VERIFIED]: 'verified' } }),
  )
  stack.defer(() => policy.close())
  const settings = readDiscordSettings(discord.env)
  if (!settings) throw new Error('the environment of the double is not complete')
  const logger = createLogger({ service: 'ingress', write: (line) => void lines.push(line) })
  const tally = openTally(kv, now)
  const roster = await openRoster({ kv, accounts, policy, tally, discord: openDiscord(settings), refreshMs: REFRESH_MS, logger, now })
  stack.defer(() => roster.close())
  return roster
}

async function member(owner: string): Promise<() => [string | undefined, readonly string[] | undefined]> {
  const key_hash = hashOfKey(newClientKey('fai_'))
  await accounts.create({ id: accountId(key_hash), name: 'x', key_hash, created_ms: nowMs, owner })
  return () => [accounts.find(key_hash)?.membership, accounts.find(key_hash)?.community_roles]
}

/** The round at the start is done with. */
async function settled(): Promise<Roster> {
  const kv = await broker.connect('ingress').keyValue(buckets.access)
  const roster = await replica()
  await expect.poll(() => kv.get(accessKeys.roster)).toBeDefined()
  nowMs += REFRESH_MS
  return roster
}

const listings = () => discord.calls.filter((call) => call.endsWith('/members')).length

describe('a round of look-ups', () => {
  it('knows who belongs to the server, with which roles, and who has left', async () => {
    discord.members.set(ann, [VERIFIED]).set(cy, [])
    const states = [await member(ann), await member(bob), await member('elsewhere')]
    await replica()
    await expect
      .poll(() => states.map((state) => state()))
      .toEqual([
        ['member', ['member', 'verified']],
        ['left', []],
        [undefined, undefined],
      ])
  })

  it('honours roles that come and go, leaving and coming back', async () => {
    discord.members.set(ann, [])
    const state = await member(ann)
    const roster = await settled()
    const seen = []
    for (const roles of [[VERIFIED], [], undefined, [VERIFIED]]) {
      if (roles) discord.members.set(ann, roles)
      else discord.members.delete(ann)
      nowMs += REFRESH_MS
      await roster.refresh()
      seen.push(state())
    }
    expect(seen).toEqual([
      ['member', ['member', 'verified']],
      ['member', ['member']],
      ['left', []],
      ['member', ['member', 'verified']],
    ])
  })

  it('reads a server of thousands in pages, and asks for those alone who are not listed', async () => {
    for (let i = 0; i < 2_500; i++) discord.members.set(String(300_000_000_000_000_000n + BigInt(i)), [])
    const states = [await member('300000000000002400'), await member(bob)]
    const roster = await settled()
    const asked = () => discord.calls.splice(0).map((call) => call.replace(/^.*\/members/, 'members'))
    const list = ['members', 'members', 'members']
    expect(asked()).toEqual([...list, `members/${bob}`])
    expect(states.map((state) => state()[0])).toEqual(['member', 'left'])
    discord.members.delete('300000000000002400')
    await roster.refresh()
    expect(asked()).toEqual([...list, 'members/300000000000002400'])
    expect(states.map((state) => state()[0])).toEqual(['left', 'left'])
    // Who has left is known by the list to be gone still, or to be back.
    discord.members.set(bob, [])
    nowMs += REFRESH_MS
    await roster.refresh()
    expect(asked()).toEqual(list)
    expect(states.map((state) => state()[0])).toEqual(['left', 'member'])
  })

  it('is made by one of several replicas', async () => {
    discord.members.set(ann, [])
    await member(ann)
    const rosters = [await settled()]
    nowMs -= REFRESH_MS
    rosters.push(await replica(), await replica())
    await Promise.all(rosters.map((roster) => roster.refresh()))
    expect(listings()).toBe(1)
    nowMs += REFRESH_MS
    await Promise.all(rosters.map((roster) => roster.refresh()))
    expect(listings()).toBe(2)
  })

  it('waits as long as Discord asks for', async () => {
    discord.members.set(ann, [])
    const state = await member(ann)
    discord.mood = 'limited'
    await replica()
    await expect.poll(() => state()[0]).toBe('member')
  })

  it('asks for each one where the list is not allowed, and says what to do about it', async () => {
    discord.members.set(ann, [VERIFIED])
    discord.mood = 'unlisted'
    const states = [await member(ann), await member(bob)]
    await replica()
    await expect.poll(() => states.map((state) => state()[0])).toEqual(['member', 'left'])
    expect(lines.join('\n')).toContain('Server Members Intent')
  })

  it('costs nothing where nobody is from Discord', async () => {
    await member('elsewhere')
    const roster = await settled()
    await roster.refresh()
    expect(discord.calls).toEqual([])
  })
})

it('closing leaves the rest of a round to another replica', async () => {
  const ids = Array.from({ length: 500 }, (_, i) => String(300_000_000_000_000_000n + BigInt(i)))
  for (const id of ids) discord.members.set(id, [])
  const states = await Promise.all(ids.map(member))
  const known = () => states.filter((state) => state()[0] !== undefined).length
  const roster = await replica()
  await expect.poll(known, { interval: 1 }).toBeGreaterThan(0)
  await roster.close()
  expect(known()).toBeLessThan(500)
  const next = await replica()
  await expect.poll(known).toBe(500)
  await next.close()
})

describe('while Discord fails', () => {
  it('nobody is taken for gone, and what is known holds for an hour', async () => {
    discord.members.set(ann, [VERIFIED])
    const state = await member(ann)
    const roster = await settled()
    await expect.poll(() => state()[0]).toBe('member')
    discord.mood = 'down'
    discord.members.delete(ann)
    nowMs += REFRESH_MS
    await roster.refresh()
    expect([state(), roster.stale]).toEqual([['member', ['member', 'verified']], false])
    nowMs += HOUR_MS
    await roster.refresh()
    expect([state()[0], roster.stale]).toEqual(['member', true])
    discord.mood = 'well'
    discord.members.set(ann, [])
    await roster.refresh()
    await expect.poll(() => roster.stale).toBe(false)
    expect(state()).toEqual(['member', ['member']])
  })

  it('says so in the log, without the token', async () => {
    await member(ann)
    discord.mood = 'down'
    await replica()
    await expect.poll(() => lines.join('\n')).toContain('members could not be looked up at Discord')
    expect(lines.join('\n')).not.toContain(BOT_TOKEN)
  })

  it('closing does not wait for an answer', async () => {
    await member(ann)
    discord.mood = 'silent'
    const roster = await replica()
    await expect.poll(() => discord.calls.length).toBe(1)
    const startedMs = performance.now()
    await roster.close()
    expect(performance.now() - startedMs).toBeLessThan(1_000)
  })
})
