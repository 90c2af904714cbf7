// Facts of a made-up past, and what they add up to when one simply counts them.

import fc from 'fast-check'
import type { Event } from '#contracts/event.ts'
import type { EventStore } from '#services/telemetry/store/store.ts'
import { beganAt, unfold } from './unfold.ts'

/** Not so long ago that stores would forget it. */
export const someTimeMs = Date.now() - 24 * 60 * 60 * 1000

const provider = fc.constantFrom('alpha', 'beta', '__proto__')
const tokens = fc.nat(5_000)
const at = fc.integer({ min: someTimeMs, max: someTimeMs + 9_999 })
/** Some of them minutes and hours apart. */
const endedAt = fc.tuple(at, fc.constantFrom(0, 61_000, 1_800_000, 3_700_000, 7_200_500)).map(([from, more]) => from + more)
const ms = fc.oneof(fc.nat(100_000), fc.double({ min: 0, max: 50_000, noNaN: true }))
const ending = fc.record({ provider, result: fc.constantFrom('ok', 'rejected(429)', 'failed(head)'), in: tokens, out: tokens, at })

const story = fc.record({
  client: fc.constantFrom('anna', 'ben', '__proto__'),
  /** Start and end are told with what is known of attempts, or everything for itself as earlier versions do. */
  together: fc.boolean(),
  start: fc.option(at),
  end: fc.option(
    fc.record({
      outcome: fc.constantFrom('ok', 'provider_error', 'client_canceled'),
      in: tokens,
      out: tokens,
      at: endedAt,
      provider: fc.option(provider),
      model: fc.constantFrom('m-8b', 'm-large'),
      strategy: fc.constantFrom('auto', 'fastest'),
      duration_ms: ms,
      ttfb_ms: fc.option(ms),
    }),
  ),
  attempts: fc.array(
    fc.record({ granted: fc.option(fc.record({ provider, at })), ingress: fc.option(ending), worker: fc.option(ending) }),
    {
      maxLength: 3,
    },
  ),
})

/** Any part of any story may be missing; each fact is there once. */
export const corpus: fc.Arbitrary<Event[]> = fc.array(story, { minLength: 1, maxLength: 25 }).map((stories) => stories.flatMap(factsOf))

/** A corpus as it is told: each fact twice, in any order, so many at a time. */
export const telling = (cut: { min: number; max: number }) =>
  corpus.chain((facts) =>
    fc.record({
      facts: fc.constant(facts),
      told: fc.shuffledSubarray([...facts, ...facts], { minLength: facts.length * 2 }),
      cut: fc.integer(cut),
    }),
  )

type Story = typeof story extends fc.Arbitrary<infer S> ? S : never

function factsOf({ client, together, start, end, attempts }: Story, index: number): Event[] {
  const request = `request-${index}`
  const facts: Event[] = []
  if (start !== null)
    facts.push({ id: `${request}.0.req.start.ingress`, at: start, name: 'req.start', request, model: 'm', stream: true, client })
  attempts.forEach((attempt, i) => {
    const n = i + 1
    const { granted } = attempt
    if (granted) facts.push({ id: `${request}.${n}.att.granted.ingress`, name: 'att.granted', request, n, worker: 'w', ...granted })
    for (const role of ['ingress', 'worker'] as const) {
      const told = attempt[role]
      if (!told) continue
      const common = { name: 'att.end', request, n, model: 'm', sent: true, ttfb_ms: null, duration_ms: 1.5 } as const
      facts.push({ id: `${request}.${n}.att.end.${role}`, ...common, ...told })
    }
  })
  if (end) {
    const common = { name: 'req.end', request, status: 200, attempts: attempts.length, client } as const
    facts.push({ id: `${request}.0.req.end.ingress`, ...common, ...end })
  }
  return together ? folded(facts, attempts.length) : facts
}

/** The last attempt told with the start and the end of its request, where those are told. */
function folded(facts: Event[], n: number): Event[] {
  const start = facts.find((fact) => fact.name === 'req.start')
  const end = facts.find((fact) => fact.name === 'req.end')
  const granted = facts.find((fact) => fact.name === 'att.granted' && fact.n === n)
  const attempt = facts.find(({ id }) => id.endsWith(`.${n}.att.end.ingress`))
  const told = new Set<Event | undefined>()
  if (start && granted?.name === 'att.granted') {
    start.granted = { n, provider: granted.provider, worker: granted.worker, at: Math.max(start.at, granted.at) }
    told.add(granted)
  }
  if (end && end.provider !== null && attempt?.name === 'att.end') {
    const { result, sent, in: tokensIn, out, ttfb_ms, duration_ms } = attempt
    end.last = { n, worker: 'w', account: 'a', granted_at: end.at, result, sent, in: tokensIn, out, ttfb_ms, duration_ms }
    told.add(attempt)
  }
  return facts.filter((fact) => !told.has(fact))
}

/** What requests and their attempts add up to. */
export interface Totals {
  requests: number
  /** `open`: its end has not been told. */
  byOutcome: Record<string, number>
  byProvider: Record<string, { attempts: number; ok: number; in: number; out: number }>
  /** Tokens; of a request without an end those of its attempts. */
  in: number
  out: number
}

interface Told {
  provider?: string | null | undefined
  result?: string | undefined
  outcome?: string | undefined
  in?: number | undefined
  out?: number | undefined
}

function emptyTotals(): Totals {
  return { requests: 0, byOutcome: {}, byProvider: Object.create(null) as Totals['byProvider'], in: 0, out: 0 }
}

function count(totals: Totals, end: Told | undefined, attempts: { granted: Told | undefined; end: Told | undefined }[]): void {
  const outcome = end?.outcome ?? 'open'
  totals.requests += 1
  totals.byOutcome[outcome] = (totals.byOutcome[outcome] ?? 0) + 1
  for (const part of end ? [end] : attempts.map((attempt) => attempt.end)) {
    totals.in += part?.in ?? 0
    totals.out += part?.out ?? 0
  }
  for (const { granted, end: ended } of attempts) {
    const provider = ended?.provider ?? granted?.provider ?? ''
    const sum = totals.byProvider[provider] ?? { attempts: 0, ok: 0, in: 0, out: 0 }
    sum.attempts += 1
    sum.ok += ended?.result === 'ok' ? 1 : 0
    sum.in += ended?.in ?? 0
    sum.out += ended?.out ?? 0
    totals.byProvider[provider] = sum
  }
}

/** Counts without any record: fact by fact, from all facts at once. Of requests that were first heard of in the window. */
export function countNaively(facts: readonly Event[], sinceMs: number, untilMs: number): Totals {
  const told = facts.flatMap(unfold).filter((fact) => fact.name !== 'drop.count')
  const totals = emptyTotals()
  for (const request of new Set(told.map((fact) => fact.request))) {
    const own = told.filter((fact) => fact.request === request)
    const first = Math.min(...own.map(beganAt))
    if (first < sinceMs || first >= untilMs) continue
    const attempts = [...new Set(own.flatMap((fact) => ('n' in fact ? [fact.n] : [])))].map((n) => {
      const facts = own.filter((fact) => 'n' in fact && fact.n === n)
      const end = ['ingress', 'worker'].map((role) => facts.find(({ id }) => id.endsWith(`att.end.${role}`))).find(Boolean)
      return { granted: facts.find(({ name }) => name === 'att.granted') as Told | undefined, end: end as Told | undefined }
    })
    count(
      totals,
      own.find((fact) => fact.name === 'req.end'),
      attempts,
    )
  }
  return totals
}

/** The same from what is stored. */
export async function countStored(store: EventStore, sinceMs: number, untilMs: number): Promise<Totals> {
  const totals = emptyTotals()
  for await (const page of store.records(sinceMs, untilMs)) {
    for (const { parts } of page) {
      const numbers = new Set(Object.keys(parts).flatMap((place) => /^attempts\.(\d+)\./.exec(place)?.[1] ?? []))
      const attempts = [...numbers].map((n) => ({
        granted: parts[`attempts.${n}.granted`] as Told | undefined,
        end: (parts[`attempts.${n}.ingress`] ?? parts[`attempts.${n}.worker`]) as Told | undefined,
      }))
      count(totals, (parts.end ?? parts.reaped) as Told | undefined, attempts)
    }
  }
  return totals
}

/** What analytics have to say of the window from `from` to `to`, counted from the facts alone. */
export function countEnded(facts: readonly Event[], from: number, to: number) {
  const ends = facts.filter((fact) => fact.name === 'req.end').filter(({ at }) => at >= from && at < to)
  const by = (nameOf: (end: (typeof ends)[number]) => string | null | undefined) => {
    const counts = new Map<string | null, number>()
    for (const end of ends) counts.set(nameOf(end) || null, (counts.get(nameOf(end) || null) ?? 0) + 1)
    return counts
  }
  return {
    total_calls: ends.length,
    ok: ends.filter(({ outcome }) => outcome === 'ok').length,
    tokens_in: ends.reduce((sum, end) => sum + end.in, 0),
    tokens_out: ends.reduce((sum, end) => sum + end.out, 0),
    latencies: ends.filter(({ outcome }) => outcome === 'ok').map(({ duration_ms }) => duration_ms),
    by_provider: by(({ provider }) => provider),
    by_strategy: by(({ strategy }) => strategy),
    by_outcome: by(({ outcome }) => outcome),
    by_client: by(({ client }) => client),
  }
}
