// Pure. What a request has learned about whom not to ask, and what it needs; this is what the next submission tells the router.

import type { Adaptation } from '#contracts/adaptation.ts'
import type { Target } from '#contracts/attempt.ts'
import type { Need } from '#contracts/job.ts'
import type { Again } from './retry.ts'

export interface Search {
  /** Hard: provider, provider/account, or provider/account/model. */
  exclude: string[]
  /** Soft: taken only if nothing else is left. */
  avoid: string[]
  /** Numbers of attempts that were given up before a grant. */
  abandoned: number[]
  need: Need
  /** A bigger context was asked for already. */
  widened: boolean
  /** The model that has refused the request says that it would take it changed like this. */
  adapted: { model: string; adapt: Adaptation } | undefined
}

export function newSearch(need: Need): Search {
  return { exclude: [], avoid: [], abandoned: [], need, widened: false, adapted: undefined }
}

/** After a call failed. `contextWindow`: of the model that was too small. */
export function learnFrom(search: Search, verdict: Again, target: Target, contextWindow: number): void {
  search.adapted = verdict.adapt && { model: `${target.prov}/${target.model}`, adapt: verdict.adapt }
  if (verdict.exclude) search.exclude.push(...verdict.exclude)
  if (verdict.avoid) search.avoid.push(verdict.avoid)
  if (!verdict.wider) return
  search.widened = true
  search.need = { ...search.need, ctx: contextWindow + 1 }
}

/** Nobody can be had for the changed request: back to the request as it was. False if it was not changed. */
export function giveUpAdapted(search: Search): boolean {
  if (!search.adapted) return false
  search.exclude.push(search.adapted.model.slice(0, search.adapted.model.indexOf('/')))
  search.adapted = undefined
  return true
}

/** Nothing was called. Who has no worker is left out; who did not take the job in time may only have been slow. */
export function passOver(search: Search, n: number, why: string, provider: string | undefined): void {
  search.abandoned.push(n)
  if (provider === undefined) return
  const list = why === 'refused' ? search.exclude : search.avoid
  list.push(provider)
}
