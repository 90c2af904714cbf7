// Pure. What stored records add up to. Counted when asked, from records that exist once, so that a repeated fact counts once.

export interface Totals {
  requests: number
  /** `open`: its end has not been told. */
  byOutcome: Record<string, number>
  byProvider: Record<string, ProviderTotals>
  /** Tokens. */
  in: number
  out: number
}

export interface ProviderTotals {
  attempts: number
  ok: number
  in: number
  out: number
}

export interface RequestRecord {
  id: string
  end: { outcome: string; in: number; out: number } | undefined
}

interface AttemptEnd {
  provider: string
  result: string
  in: number
  out: number
}

export interface AttemptRecord {
  granted: { provider: string } | undefined
  ingress: AttemptEnd | undefined
  worker: AttemptEnd | undefined
}

/** Pages of records; a page is small enough to be counted in one go. */
export interface Records {
  /** Last heard of from `sinceMs` on and before `untilMs`. */
  requests(sinceMs: number, untilMs: number): AsyncIterable<RequestRecord[]>
  attempts(sinceMs: number, untilMs: number): AsyncIterable<AttemptRecord[]>
  attemptsOf(requests: string[]): Promise<AttemptRecord[]>
}

const none = { in: 0, out: 0 }

/** The request's own word on its tokens wins; where it has not ended, its attempts are counted. */
export async function countTotals(records: Records, sinceMs: number, untilMs: number): Promise<Totals> {
  let requests = 0
  const tokens = { ...none }
  const outcomes = new Map<string, number>()
  const providers = new Map<string, ProviderTotals>()

  for await (const page of records.requests(sinceMs, untilMs)) {
    requests += page.length
    for (const { end } of page) {
      const outcome = end?.outcome ?? 'open'
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
      add(tokens, end ?? none)
    }
    const open = page.filter(({ end }) => !end).map(({ id }) => id)
    if (open.length > 0) for (const attempt of await records.attemptsOf(open)) add(tokens, endOf(attempt) ?? none)
  }
  for await (const page of records.attempts(sinceMs, untilMs)) {
    for (const attempt of page) {
      const end = endOf(attempt)
      const provider = end?.provider ?? attempt.granted?.provider
      if (provider === undefined) continue
      const sum = providers.get(provider) ?? { attempts: 0, ok: 0, ...none }
      providers.set(provider, sum)
      sum.attempts++
      if (end?.result === 'ok') sum.ok++
      add(sum, end ?? none)
    }
  }
  return { requests, byOutcome: Object.fromEntries(outcomes), byProvider: Object.fromEntries(providers), ...tokens }
}

/** The ingress decided how the attempt ended for the client; the worker is heard where it could not say. */
function endOf({ ingress, worker }: AttemptRecord): AttemptEnd | undefined {
  return ingress ?? worker
}

function add(sum: { in: number; out: number }, more: { in: number; out: number }): void {
  sum.in += more.in
  sum.out += more.out
}
