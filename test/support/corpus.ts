// Facts of a made-up past, and what they add up to when one simply counts them.

import fc from 'fast-check'
import type { Event } from '#contracts/event.ts'
import type { Totals } from '#services/telemetry/store/store.ts'

/** Not so long ago that stores would forget it. */
export const someTimeMs = Date.now() - 24 * 60 * 60 * 1000

const provider = fc.constantFrom('alpha', 'beta', '__proto__')
const tokens = fc.nat(5_000)
const at = fc.integer({ min: someTimeMs, max: someTimeMs + 9_999 })
const ending = fc.record({ provider, result: fc.constantFrom('ok', 'rejected(429)', 'failed(head)'), in: tokens, out: tokens, at })

const story = fc.record({
  start: fc.option(at),
  end: fc.option(fc.record({ outcome: fc.constantFrom('ok', 'upstream_error', 'cancelled'), in: tokens, out: tokens, at })),
  attempts: fc.array(
    fc.record({ granted: fc.option(fc.record({ provider, at })), ingress: fc.option(ending), worker: fc.option(ending) }),
    {
      maxLength: 3,
    },
  ),
})

/** Any part of any story may be missing; each fact is there once. */
export const corpus: fc.Arbitrary<Event[]> = fc.array(story, { minLength: 1, maxLength: 25 }).map((stories) => stories.flatMap(factsOf))

type Story = typeof story extends fc.Arbitrary<infer S> ? S : never

function factsOf({ start, end, attempts }: Story, index: number): Event[] {
  const request = `request-${index}`
  const facts: Event[] = []
  if (start !== null) facts.push({ id: `${request}.0.req.start.ingress`, at: start, name: 'req.start', request, model: 'm', stream: true })
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
    const common = {
      name: 'req.end',
      request,
      status: 200,
      provider: null,
      model: null,
      attempts: attempts.length,
      duration_ms: 2,
    } as const
    facts.push({ id: `${request}.0.req.end.ingress`, ...common, ...end })
  }
  return facts
}

/** Counts without any record: fact by fact, from all facts at once. */
export function countNaively(facts: readonly Event[], sinceMs: number, untilMs: number): Totals {
  const told = facts.filter((fact) => fact.name !== 'drop.count')
  const inWindow = (own: readonly Event[]) => {
    const last = Math.max(...own.map(({ at }) => at))
    return last >= sinceMs && last < untilMs
  }
  const totals: Totals = { requests: 0, byOutcome: {}, byProvider: {}, in: 0, out: 0 }
  const providers = new Map<string, { attempts: number; ok: number; in: number; out: number }>()
  for (const request of new Set(told.map((fact) => fact.request))) {
    const own = told.filter((fact) => fact.request === request)
    const ends = [...new Set(own.flatMap((fact) => ('n' in fact ? [fact.n] : [])))].map((n) => {
      const facts = own.filter((fact) => 'n' in fact && fact.n === n)
      const end = ['ingress', 'worker'].map((role) => facts.find(({ id }) => id.endsWith(`att.end.${role}`))).find(Boolean)
      return { facts, end: end?.name === 'att.end' ? end : undefined }
    })
    for (const { facts, end } of ends) {
      if (!inWindow(facts)) continue
      const { provider = '' } = end ?? (facts[0] as { provider?: string })
      const sum = providers.get(provider) ?? { attempts: 0, ok: 0, in: 0, out: 0 }
      sum.attempts += 1
      sum.ok += end?.result === 'ok' ? 1 : 0
      sum.in += end?.in ?? 0
      sum.out += end?.out ?? 0
      providers.set(provider, sum)
    }
    if (!inWindow(own)) continue
    const end = own.find((fact) => fact.name === 'req.end')
    const outcome = end?.outcome ?? 'open'
    totals.requests += 1
    totals.byOutcome[outcome] = (totals.byOutcome[outcome] ?? 0) + 1
    for (const part of end ? [end] : ends.map((attempt) => attempt.end)) {
      totals.in += part?.in ?? 0
      totals.out += part?.out ?? 0
    }
  }
  return { ...totals, byProvider: Object.fromEntries(providers) }
}
