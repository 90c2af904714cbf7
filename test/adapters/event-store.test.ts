// One suite for every adapter of the event store, and what telemetry promises on top of it.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Event } from '#contracts/event.ts'
import { event as eventSubject } from '#contracts/subjects.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { openMongoStore } from '#services/telemetry/store/mongo.ts'
import { openSqliteStore } from '#services/telemetry/store/sqlite.ts'
import { retention } from '#services/telemetry/store/store.ts'
import { startTelemetry } from '#services/telemetry/telemetry.ts'
import { countNaively, countStored, someTimeMs, telling } from '#test/support/corpus.ts'
import { openSqliteHarness, openStandInHarness, openStore, type StoreHarness } from '#test/support/event-stores.ts'
import { type MongoStandIn, startMongoStandIn } from '#test/support/mongo-stand-in.ts'
import { describeMongo } from '#test/support/mongo-suite.ts'
import { until } from '#test/support/until.ts'

const request = (id: string, at = Date.now()): Event => ({
  id: `${id}.0.req.start.ingress`,
  at,
  name: 'req.start',
  request: id,
  model: null,
  stream: false,
})
const time = fc.integer({ min: someTimeMs - 1, max: someTimeMs + 10_001 })
/** To the end of what a date can say. */
const ALL = [0, 8.64e15] as const
const stack = { current: new AsyncDisposableStack() }
beforeEach(() => {
  stack.current = new AsyncDisposableStack()
})
afterEach(() => stack.current.disposeAsync())

/** Telemetry on a bus of its own. */
async function runTelemetry({ settings }: Pick<StoreHarness, 'settings'>) {
  const lines: { level: string; msg: string }[] = []
  const dir = await mkdtemp(join(tmpdir(), 'freeway-telemetry-'))
  stack.current.defer(() => rm(dir, { recursive: true }))
  const broker = await openMemoryBroker({ file: join(dir, 'bus.db') })
  stack.current.defer(() => broker.close())
  const logger = createLogger({ service: 'test', level: 'info', write: (line) => lines.push(JSON.parse(line)) })
  const telemetry = await startTelemetry({ backbone: broker.connect('telemetry'), settings, logger })
  stack.current.defer(() => telemetry.close())
  const { events } = broker.connect('ingress')
  const append = (id: string, text: string) => events.append(eventSubject('ingress', 'batch', 'v1'), id, new TextEncoder().encode(text))
  return { telemetry, lines, append, appendFacts: (id: string, facts: unknown[]) => append(id, JSON.stringify({ events: facts })) }
}

function storeSuite(openHarness: () => Promise<StoreHarness>, oneWriter = false) {
  let harness: StoreHarness
  beforeEach(async () => {
    harness = await openHarness()
    stack.current.defer(() => harness.close())
  })
  const opened = async () => {
    const store = await harness.open()
    stack.current.defer(() => store.close())
    return store
  }

  it('whatever the order and however often it is told, everything counts once', async () => {
    await fc.assert(
      fc.asyncProperty(telling({ min: 1, max: 40 }), fc.tuple(time, time), async ({ facts, told, cut }, [sinceMs, untilMs]) => {
        await using own = new AsyncDisposableStack()
        const { store } = await openStore(openHarness, own)
        for (let i = 0; i < told.length; i += cut) {
          const part = told.slice(i, i + cut)
          expect(new Set((await store.save(part)).saved)).toEqual(new Set(part.map(({ id }) => id)))
        }
        expect(await countStored(store, ...ALL)).toEqual(countNaively(facts, ...ALL))
        expect(await countStored(store, sinceMs, untilMs)).toEqual(countNaively(facts, sinceMs, untilMs))
      }),
      { numRuns: 25 },
    )
  })

  it('more records than one page holds are all counted, also when their time is the same', async () => {
    const store = await opened()
    const facts = Array.from({ length: 1_200 }, (_, i) => request(`r${i}`, someTimeMs))
    await store.save(facts)
    expect((await countStored(store, someTimeMs, someTimeMs + 1)).requests).toBe(1_200)
    expect((await countStored(store, someTimeMs + 1, someTimeMs + 9_000)).requests).toBe(0)
  })

  it('what was saved is there after opening it again, and saved again it counts once', async () => {
    const facts = [request('a'), request('b')]
    const first = await harness.open()
    await first.save(facts)
    await first.close()
    const store = await opened()
    expect(await store.save([...facts, request('c')])).toEqual({ saved: [...facts, request('c')].map(({ id }) => id) })
    expect((await countStored(store, ...ALL)).requests).toBe(3)
  })

  it.skipIf(oneWriter)('two that write at the same time lose nothing', async () => {
    const [one, two] = [await opened(), await opened()]
    const facts = Array.from({ length: 300 }, (_, i) => request(`r${i % 200}`))
    await one.save([request('first')])
    await Promise.all([one.save(facts.slice(0, 200)), two.save(facts.slice(100))])
    expect((await countStored(one, ...ALL)).requests).toBe(201)
  })

  it('lost facts are kept, and count as no request', async () => {
    const store = await opened()
    const id = 'i.1.drop.count.ingress'
    expect(await store.save([{ id, at: someTimeMs, name: 'drop.count', instance: 'i', dropped: 7 }])).toEqual({ saved: [id] })
    expect(await countStored(store, ...ALL)).toEqual({ requests: 0, byOutcome: {}, byProvider: Object.create(null), in: 0, out: 0 })
  })

  it('poison is kept as a dead letter, and blocks nothing', async () => {
    const { append, appendFacts, lines } = await runTelemetry(harness)
    const store = await opened()
    await append('not-json', `no json${'x'.repeat(100_000)}`)
    await append('no-batch', 'null')
    await appendFacts('half', [request('good'), { ...request('bad'), at: 'yesterday' }, { name: 'of.tomorrow' }])
    await appendFacts('whole', [request('after')])
    await until('the facts that can be read are counted', async () => (await countStored(store, ...ALL)).requests === 2)
    // A letter can be seen before it is safe on the disk; it is told only then.
    await until('the others are buried and told', () => lines.filter(({ msg }) => msg.includes('dead letter')).length === 3)
    const letters = await harness.deadLetters()
    expect(letters.map(({ id }) => id).sort()).toEqual(['half', 'no-batch', 'not-json'])
    expect(letters.find(({ id }) => id === 'not-json')?.text).toHaveLength(7 + 100_000)
    expect(letters.find(({ id }) => id === 'half')).toMatchObject({
      reason: expect.stringContaining('at'),
      // Only what could not be read.
      text: JSON.stringify({ events: [{ ...request('bad'), at: 'yesterday' }, { name: 'of.tomorrow' }] }),
    })
  })
}

describe('SQLite', () => {
  storeSuite(openSqliteHarness)

  it('a file that somebody else holds: said once, and everything is counted when it is free', async () => {
    const harness = await openSqliteHarness()
    stack.current.defer(() => harness.close())
    const { appendFacts, lines } = await runTelemetry(harness)
    const said = () => lines.map(({ msg }) => msg.split(';')[0])
    using holder = new DatabaseSync(join(harness.settings.dataDir, 'telemetry.db'))
    holder.exec('begin immediate')
    await appendFacts('1', [request('a')])
    await until('the store is found down', () => said().includes('the store is down'))
    await appendFacts('2', [request('b')])
    holder.exec('commit')
    const store = await harness.open()
    stack.current.defer(() => store.close())
    await until('all is counted', async () => (await countStored(store, ...ALL)).requests === 2)
    await until('it says so', () => said().includes('the store is back'))
    expect(said()).toEqual(['ready', 'the store is down', 'the store is back'])
  })

  it('a file of a version without roll-ups is begun anew', async () => {
    const harness = await openSqliteHarness()
    stack.current.defer(() => harness.close())
    using before = new DatabaseSync(join(harness.settings.dataDir, 'telemetry.db'))
    before.exec('create table request (key text primary key, at integer not null, start text, end text) without rowid')
    before.close()
    const store = await harness.open()
    stack.current.defer(() => store.close())
    await store.save([request('new')])
    expect((await countStored(store, ...ALL)).requests).toBe(1)
  })

  it('beyond its size the oldest requests go, and what they came to stays', async () => {
    const harness = await openSqliteHarness()
    stack.current.defer(() => harness.close())
    const store = openSqliteStore(join(harness.settings.dataDir, 'telemetry.db'), { maxBytes: 300_000 })
    stack.current.defer(() => store.close())
    const now = Date.now()
    const ended = (i: number): Event => ({
      id: `r${i}.0.req.end.ingress`,
      at: now - 1_000_000 + i * 100,
      name: 'req.end',
      request: `r${i}`,
      outcome: 'ok',
      status: 200,
      provider: 'p',
      model: 'm',
      attempts: 1,
      in: 1,
      out: 1,
      duration_ms: 1,
    })
    await store.save(Array.from({ length: 3_000 }, (_, i) => ended(i)))
    const left = (await countStored(store, ...ALL)).requests
    expect(left).toBeGreaterThan(0)
    expect(left).toBeLessThan(2_000)
    expect(await store.find('r2999')).toBeDefined()
    expect(await store.find('r0')).toBeUndefined()
    let calls = 0
    for await (const cells of store.cells('hour', 0, now)) for (const cell of cells) calls += cell.calls
    expect(calls).toBe(3_000)
  })

  it('forgets requests that it first heard of more than a week ago', async () => {
    const harness = await openSqliteHarness()
    stack.current.defer(() => harness.close())
    const store = await harness.open()
    stack.current.defer(() => store.close())
    await store.save([
      request('new'),
      ...Array.from({ length: 500 }, (_, i) => request(`old${i}`, Date.now() - retention.requestsMs - 1_000)),
    ])
    expect((await countStored(store, ...ALL)).requests).toBe(1)
  })
})

it('an address of MongoDB that cannot be read is told without repeating its password', () => {
  let said = ''
  try {
    openMongoStore('mongodb://me:se/cret@127.0.0.1/x')
  } catch (error) {
    said = String(error)
  }
  expect(said).toContain('MONGODB_URL')
  expect(said).not.toContain('cret')
})

describe('MongoDB, spoken with its stand-in,', () => {
  storeSuite(openStandInHarness)

  let server: MongoStandIn
  beforeEach(async () => {
    server = await startMongoStandIn()
  })

  it('a bulk write that fails in part: only what was written is saved', async () => {
    stack.current.defer(() => server.stop())
    const store = openMongoStore(server.url)
    stack.current.defer(() => store.close())
    server.refuse((id) => id === 'b')
    const facts = [request('a'), request('b'), request('c')]
    expect((await store.save(facts)).saved).toEqual(['a', 'c'].map((id) => request(id).id))
    server.refuse(() => false)
    expect((await store.save(facts)).saved).toHaveLength(3)
  })

  it('a server that is away: said once, and everything is counted when it is back', async () => {
    await server.stop()
    const settings = { dataDir: '', mongodbUrl: server.url, requestTimeoutMs: 60_000 }
    const { telemetry, appendFacts, lines } = await runTelemetry({ settings })
    await appendFacts('1', [request('a')])
    await until('the store is found down', () => lines.some(({ msg }) => msg.startsWith('the store is down')))
    expect(telemetry.missing).toEqual(['database'])
    await appendFacts('2', [request('b')])
    await server.start()
    stack.current.defer(() => server.stop())
    const stored = () => [...(server.collections.get('requests')?.keys() ?? [])].sort()
    await until('all is stored', () => stored().length === 2, { timeoutMs: 12_000, state: stored })
    await until('it says so', () => lines.some(({ msg }) => msg === 'the store is back'))
    expect(lines.map(({ msg }) => msg.split(';')[0])).toEqual(['ready', 'the store is down', 'the store is back'])
    expect(telemetry.missing).toEqual([])
  })
})

// FerretDB on SQLite needs milliseconds for each write, and when two write to one collection neither comes to an end.
describeMongo((open, name) => storeSuite(open, name === 'FerretDB'))
