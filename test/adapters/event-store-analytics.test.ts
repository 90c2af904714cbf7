// Roll-ups and what is asked of them: every adapter says what simply counting the facts says, whatever happened on the way.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Backbone } from '#contracts/bus.ts'
import type { Event } from '#contracts/event.ts'
import type { Answers, Question, QuestionOf } from '#contracts/question.ts'
import { questions } from '#contracts/subjects.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { createLogger } from '#services/logger.ts'
import { startTelemetry } from '#services/telemetry/telemetry.ts'
import { countEnded, someTimeMs, telling } from '#test/support/corpus.ts'
import { openSqliteHarness, openStandInHarness, openStore, type StoreHarness } from '#test/support/event-stores.ts'
import { describeMongo } from '#test/support/mongo-suite.ts'
import { until } from '#test/support/until.ts'

const MINUTE_MS = 60_000
const WEEK = { kind: 'analytics', window_seconds: 604_800, bucket_count: 168 } as const
const stack = { current: new AsyncDisposableStack() }
beforeEach(() => {
  stack.current = new AsyncDisposableStack()
})
afterEach(() => stack.current.disposeAsync())

/** Telemetry with this store, and somebody who asks it. */
async function askable({ settings }: Pick<StoreHarness, 'settings'>, own: AsyncDisposableStack) {
  const broker = await openMemoryBroker()
  own.defer(() => broker.close())
  const logger = createLogger({ service: 'test', level: 'error', write: () => {} })
  const telemetry = await startTelemetry({ backbone: broker.connect('telemetry'), settings, logger })
  own.defer(() => telemetry.close())
  const { bus }: Backbone = broker.connect('ingress')
  return async <Asked extends Question>(question: Asked): Promise<Answers[Asked['kind']]> => {
    const { data } = await bus.request(questions, new TextEncoder().encode(JSON.stringify(question)), { timeoutMs: 10_000 })
    const reply = JSON.parse(new TextDecoder().decode(data)) as { answer?: Answers[Asked['kind']]; refused?: string }
    if (reply.refused !== undefined) throw new Error(reply.refused)
    return reply.answer as Answers[Asked['kind']]
  }
}

const ended = (id: string, at: number, more: object = {}): Event => ({
  id: `${id}.0.req.end.ingress`,
  at,
  name: 'req.end',
  request: id,
  outcome: 'ok',
  status: 200,
  provider: 'alpha',
  model: 'm-8b',
  attempts: 1,
  in: 1,
  out: 2,
  duration_ms: 10,
  client: 'anna',
  trace: `trace-${id}`,
  ...more,
})
const started = (id: string, at: number): Event => ({
  id: `${id}.0.req.start.ingress`,
  at,
  name: 'req.start',
  request: id,
  model: 'auto',
  stream: false,
  client: 'anna',
})

function analyticsSuite(openHarness: () => Promise<StoreHarness>, numRuns: number) {
  const opened = (own = stack.current) => openStore(openHarness, own)

  it('whatever the order, however often it is told, and whenever it is rolled up: the same as simply counting', async () => {
    await fc.assert(
      fc.asyncProperty(
        telling({ min: 3, max: 60 }),
        fc.constantFrom<QuestionOf<'analytics'>[]>(
          WEEK,
          { ...WEEK, bucket_count: 7 },
          { ...WEEK, window_seconds: 90_000, bucket_count: 25 },
          { ...WEEK, window_seconds: 84_000, bucket_count: 24 },
        ),
        async ({ facts, told, cut }, window) => {
          await using own = new AsyncDisposableStack()
          const { harness, store } = await opened(own)
          for (let i = 0; i < told.length; i += cut) {
            await store.save(told.slice(i, i + cut))
            if (i % 2 === 0) await store.rollUp()
          }
          await store.rollUp(true)
          const ask = await askable(harness, own)
          const said = await ask(window)
          const counted = countEnded(facts, said.from, said.to)
          expect(said).toMatchObject({ total_calls: counted.total_calls, tokens_in: counted.tokens_in, tokens_out: counted.tokens_out })
          for (const by of ['provider', 'strategy', 'outcome', 'client'] as const) {
            const rows = said[`by_${by}`] as unknown as ({ calls: number } & Record<string, string | null>)[]
            expect(new Map(rows.map((row) => [row[by], row.calls]))).toEqual(counted[`by_${by}`])
          }
          expect(said.time_buckets.map(({ calls }) => calls)).toEqual(
            said.time_buckets.map(({ start, end }) => countEnded(facts, minute(start), minute(end)).total_calls),
          )
          if (counted.latencies.length > 0) {
            const mean = counted.latencies.reduce((sum, ms) => sum + ms, 0) / counted.latencies.length
            expect(said.avg_latency_ms).toBeCloseTo(mean, 1)
          }
        },
      ),
      { numRuns },
    )
  })

  it('an end that was found out counts until the one that was told replaces it, in whichever minute that is', async () => {
    const { harness, store } = await opened()
    const ask = await askable(harness, stack.current)
    const outcomes = async () => {
      await store.rollUp(true)
      const { by_outcome, total_calls } = await ask(WEEK)
      return { total_calls, outcomes: by_outcome.map(({ outcome, calls }) => [outcome, calls]) }
    }
    const lost = { ...ended('r', someTimeMs, { outcome: 'lost' }), id: 'r.0.req.end.telemetry' }
    await store.save([started('r', someTimeMs), lost])
    expect(await outcomes()).toEqual({ total_calls: 1, outcomes: [['lost', 1]] })
    await store.save([ended('r', someTimeMs + 5 * MINUTE_MS)])
    expect(await outcomes()).toEqual({ total_calls: 1, outcomes: [['ok', 1]] })
    await store.save([lost])
    expect(await outcomes()).toEqual({ total_calls: 1, outcomes: [['ok', 1]] })
    expect(await ask({ kind: 'request', id: 'r' })).toMatchObject({ outcome: 'ok', unconfirmed: false })
  })

  it('two that roll up what two others save at the same time leave nothing out', async () => {
    const { harness, store: one } = await opened()
    const two = await harness.open()
    stack.current.defer(() => two.close())
    const facts = Array.from({ length: 120 }, (_, i) => ended(`r${i}`, someTimeMs + (i % 3) * 40_000))
    for (let i = 0; i < facts.length; i += 20) {
      // What a store could not do now is done later, as telemetry does it.
      await Promise.all([one, two].map((store) => store.rollUp(true).catch(() => {})))
      await one.save(facts.slice(i, i + 20))
    }
    await two.rollUp(true)
    const ask = await askable(harness, stack.current)
    expect((await ask(WEEK)).total_calls).toBe(120)
  })

  it('analytics are of whom they are asked for', async () => {
    const { harness, store } = await opened()
    await store.save([
      ended('a', someTimeMs),
      ended('b', someTimeMs, { client: 'ben' }),
      ended('c', someTimeMs, { provider: 'beta' }),
      ended('d', someTimeMs, { model: 'm-large' }),
    ])
    await store.rollUp(true)
    const ask = await askable(harness, stack.current)
    expect((await ask({ ...WEEK, client: 'anna' })).total_calls).toBe(3)
    expect((await ask({ ...WEEK, provider: 'alpha', client: 'anna' })).total_calls).toBe(2)
    expect((await ask({ ...WEEK, model: 'm-large' })).by_model).toMatchObject([{ model: 'm-large', provider: 'alpha', calls: 1 }])
    expect((await ask({ ...WEEK, client: 'nobody' })).by_provider).toEqual([])
  })

  it('the log is read page by page, newest first, each request once, with its attempts and its trace', async () => {
    const { harness, store } = await opened()
    await store.save(
      Array.from({ length: 25 }, (_, i) => [started(`r${i}`, someTimeMs + (i >> 1)), ended(`r${i}`, someTimeMs + 100)]).flat(),
    )
    const attempt = { request: 'r24', n: 1, provider: 'alpha' }
    await store.save([
      { id: 'r24.1.att.granted.ingress', at: someTimeMs + 50, name: 'att.granted', worker: 'w', ...attempt },
      {
        id: 'r24.1.att.end.worker',
        at: someTimeMs + 60,
        name: 'att.end',
        ...attempt,
        model: 'm-8b',
        result: 'ok',
        sent: true,
        in: 1,
        out: 2,
        ttfb_ms: 4,
        duration_ms: 9,
      },
    ])
    const ask = await askable(harness, stack.current)
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const page = await ask({ kind: 'requests', limit: 10, ...(cursor ? { cursor } : {}) })
      ids.push(...page.data.map(({ id }) => id))
      cursor = page.next ?? undefined
    } while (cursor)
    expect(new Set(ids).size).toBe(25)
    expect(ids).toHaveLength(25)
    expect(ids[0]).toBe('r24')
    expect(await ask({ kind: 'request', id: 'r24' })).toMatchObject({
      outcome: 'ok',
      client: 'anna',
      trace_id: 'trace-r24',
      asked_model: 'auto',
      attempts: [{ n: 1, provider: 'alpha', worker: 'w', result: 'ok', granted_at: someTimeMs + 50, ended_at: someTimeMs + 60 }],
    })
    expect(await ask({ kind: 'request', id: 'nobody' })).toBeNull()
  })

  it('the log is filtered by client, provider, model, outcome and time', async () => {
    const { harness, store } = await opened()
    await store.save([
      ended('a', someTimeMs),
      ended('b', someTimeMs + 1_000, { client: 'ben', outcome: 'provider_error' }),
      ended('c', someTimeMs + 2_000, { provider: 'beta', model: 'm-large' }),
      started('d', someTimeMs + 3_000),
    ])
    const ask = await askable(harness, stack.current)
    const ids = async (filter: object) => (await ask({ kind: 'requests', limit: 50, ...filter })).data.map(({ id }) => id).join('')
    expect(await ids({})).toBe('dcba')
    expect(await ids({ client: 'anna' })).toBe('dca')
    expect(await ids({ provider: 'beta' })).toBe('c')
    expect(await ids({ model: 'm-8b' })).toBe('ba')
    expect(await ids({ outcome: 'provider_error' })).toBe('b')
    expect(await ids({ outcome: 'open' })).toBe('d')
    expect(await ids({ since: someTimeMs + 990, until: someTimeMs + 2_990 })).toBe('cb')
    expect(await ids({ client: 'anna', outcome: 'ok', until: someTimeMs + 1_990 })).toBe('a')
  })

  it('requests without an end are found, the oldest first, and no others', async () => {
    const { store } = await opened()
    const at = (ms: number) => someTimeMs + ms
    await store.save([started('b', at(20)), started('a', at(10)), started('c', at(30)), started('d', at(5)), ended('d', at(6))])
    expect((await store.unended(at(30), 10)).map(({ id }) => id)).toEqual(['a', 'b'])
    expect((await store.unended(at(30), 1)).map(({ id }) => id)).toEqual(['a'])
  })

  it('dead letters are listed page by page, the latest first', async () => {
    const { harness, store } = await opened()
    const ask = await askable(harness, stack.current)
    for (let i = 0; i < 5; i++) await store.bury({ id: `l${i}`, at: someTimeMs + (i >> 1), reason: 'r', text: 'x'.repeat(5_000) })
    const ids: string[] = []
    let cursor: string | undefined
    do {
      const { data, next } = await ask({ kind: 'dead_letters', limit: 2, ...(cursor ? { cursor } : {}) })
      for (const { id, text, length } of data) {
        ids.push(id)
        expect([text.length, length]).toEqual([2_000, 5_000])
      }
      cursor = next ?? undefined
    } while (cursor)
    expect(ids).toEqual(['l4', 'l3', 'l2', 'l1', 'l0'])
  })

  it('a dead letter is read again once it can be, counts once, and is gone', async () => {
    const { harness, store } = await opened()
    const ask = await askable(harness, stack.current)
    const text = JSON.stringify({ events: [started('a', someTimeMs), started('b', someTimeMs)] })
    await store.bury({ id: 'now', at: someTimeMs, reason: 'nobody knew the name', text })
    await store.bury({
      id: 'never',
      at: someTimeMs,
      reason: 'x',
      text: JSON.stringify({ events: [started('c', someTimeMs), { name: 'of.tomorrow' }] }),
    })
    await store.save([started('a', someTimeMs)])
    expect(await ask({ kind: 'requeue', id: 'now' })).toEqual({ facts: 2, reason: null })
    expect(await ask({ kind: 'requeue', id: 'never' })).toEqual({ facts: 1, reason: expect.stringContaining('name') })
    expect(await ask({ kind: 'requeue', id: 'now' })).toBeNull()
    expect((await store.letters(undefined, 9)).letters.map(({ id }) => id)).toEqual(['never'])
    expect((await ask({ kind: 'requests', limit: 9 })).data.map(({ id }) => id)).toEqual(['c', 'b', 'a'])
  })

  it('statistics are those of today', async () => {
    const { harness, store } = await opened()
    const now = Date.now()
    await store.save([ended('today', now), ended('bad', now, { outcome: 'provider_error' }), ended('yesterday', now - 86_400_000)])
    await store.rollUp(true)
    const ask = await askable(harness, stack.current)
    expect(await ask({ kind: 'stats' })).toEqual({ requests_today: 2, tokens_used: 6, avg_latency: 10, success_rate: 0.5 })
    expect(await ask({ kind: 'leaderboard' })).toMatchObject({
      window: '24h',
      data: [{ rank: 1, id: 'alpha/m-8b', requests: expect.any(Number), tokens: expect.any(Number) }],
    })
  })
}

const minute = (at: number): number => Math.ceil(at / MINUTE_MS) * MINUTE_MS

describe('SQLite', () => {
  analyticsSuite(openSqliteHarness, 20)

  it('telemetry gives a request up whose end nobody told in time, and no other', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    stack.current.defer(() => void vi.useRealTimers())
    const harness = await openSqliteHarness()
    stack.current.defer(() => harness.close())
    const store = await harness.open()
    stack.current.defer(() => store.close())
    // It may take a minute, and is given up another minute later.
    const now = Date.now()
    await store.save([started('old', now - 125_000), started('young', now - 100_000), started('done', now - 125_000), ended('done', now)])
    const ask = await askable(harness, stack.current)
    vi.advanceTimersByTime(15_000)
    await until('it is given up', async () => (await ask({ kind: 'request', id: 'old' }))?.outcome === 'lost')
    expect(await ask({ kind: 'request', id: 'old' })).toMatchObject({ unconfirmed: true, client: 'anna', error: 'lost' })
    expect(await ask({ kind: 'request', id: 'young' })).toMatchObject({ outcome: 'open' })
    expect(await ask({ kind: 'request', id: 'done' })).toMatchObject({ outcome: 'ok' })
    expect((await ask({ ...WEEK, client: 'anna' })).by_outcome.map(({ outcome }) => outcome).sort()).toEqual(['lost', 'ok'])
  })
})
describe('MongoDB, spoken with its stand-in,', () => analyticsSuite(openStandInHarness, 15))
describeMongo((open) => analyticsSuite(open, 5))
