// Pure. What a request has learned about whom not to ask, and what it needs; this is what the next submission tells the router.

import type { Target } from '#contracts/attempt.ts'
import type { Need } from '#contracts/job.ts'
import type { Verdict } from './retry.ts'

export interface Search {
  /** Hard: provider, or provider/account. */
  exclude: string[]
  /** Soft: taken only if nothing else is left. */
  avoid: string[]
  need: Need
  /** A bigger context was asked for already. */
  widened: boolean
}

export function newSearch(need: Need): Search {
  return { exclude: [], avoid: [], need, widened: false }
}

/** After a call failed. `contextWindow`: of the model that was too small. */
export function learnFrom(search: Search, verdict: Extract<Verdict, { again: true }>, contextWindow: number): void {
  if (verdict.exclude) search.exclude.push(verdict.exclude)
  if (verdict.avoid) search.avoid.push(verdict.avoid)
  if (!verdict.wider) return
  search.widened = true
  search.need = { ...search.need, ctx: contextWindow + 1 }
}

/** Nothing was called. Who has no worker is left out; who did not take the job in time may only have been slow. */
export function passOver(search: Search, target: Target, why: string): void {
  const list = why === 'refused' ? search.exclude : search.avoid
  list.push(target.prov)
}
