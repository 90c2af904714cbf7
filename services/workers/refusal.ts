// Pure. What a provider's refusal means for us: whose fault it is, what to do about it, and how long to leave them alone.

import type { Adaptation } from '#contracts/adaptation.ts'
import type { LearnedLimit } from '#contracts/limit.ts'
import type { RefusalCode, RefusalScope } from '#contracts/settlement.ts'
import { adaptationOf } from './adaptation.ts'
import { cooldownOf, cooldownOfLimit, DAY_MS, HOUR_MS, type LimitHabits } from './cooldown.ts'
import { asLearned, type Exhausted, readExhausted } from './exhausted.ts'
import { type Rule, rules } from './refusal-rules.ts'
import { redact, wordsOf } from './refusal-words.ts'
import { type Headers, readRetryAfter } from './retry-after.ts'

export interface Refusal {
  code: RefusalCode
  /** What must rest: the model of this account, the account (key), or the whole provider; `request`: nothing but this request. */
  scope: RefusalScope
  /** This key cannot be used now, whether it is wrong, barred or out of money. */
  keyFault: boolean
  /** How long it must rest; undefined where waiting changes nothing, or for a key that somebody has to see to. */
  retryAfterMs: number | undefined
  /** It named that time itself; else it is what is usual. */
  told: boolean
  /** The limit it speaks of. */
  learned: LearnedLimit[]
  /** What to change, if the same model would then take the request. */
  adapt: Adaptation | undefined
  /** For operators: one line, at most 200 characters, no keys. */
  detail: string
}

export interface Response {
  status: number
  /** Names in lower case. */
  headers: Headers
  body: string
  nowMs: number
}

/** Never throws, whatever the body is. `habits`: of the provider's limits; what it does not say itself is taken from them. */
export function readRefusal(response: Response, habits?: LimitHabits): Refusal {
  const { status, body } = response
  const words = wordsOf(body)
  const rule = rules.find((rule) => (rule.when === undefined || rule.when(status)) && rule.words.test(words))
  const code = rule?.code ?? (isGuard(status, body) ? 'blocked' : byStatus(status))
  const detail = redact(`${status} ${words}`)
  if (code === 'rate_limited') return limited(response, rule, words, detail, habits)
  const scope = rule?.scope ?? scopeOf(code, status, words, body)
  const adapt = code === 'invalid_request' || code === 'unsupported' ? adaptationOf(words, body) : undefined
  return {
    code,
    scope,
    keyFault: code === 'auth' || (code === 'payment' && scope === 'key'),
    retryAfterMs: restOf(response, code, scope, rule, words),
    told: readRetryAfter(response.headers, body, response.nowMs) !== undefined,
    learned: [],
    adapt,
    detail,
  }
}

function limited(response: Response, rule: Rule | undefined, words: string, detail: string, habits: LimitHabits | undefined): Refusal {
  const exhausted = readExhausted(words, response.body)
  const retryAfterMs = cooldownOfLimit(exhausted, response, habits, rule?.usualMs)
  const scope = rule?.scope ?? limitScopeOf(words, response.body, exhausted, habits)
  const learned = asLearned(exhausted, retryAfterMs, scope)
  return { code: 'rate_limited', scope, keyFault: false, retryAfterMs, told: true, learned, adapt: undefined, detail }
}

/** Who is limited: what the words say, else what the catalogue says of the provider. A provider behind the provider limits its models alone. */
function limitScopeOf(words: string, body: string, { per }: Exhausted, habits: LimitHabits | undefined): 'model' | 'key' | 'provider' {
  if (
    /PerModel|(?:for|on) (?:this |the )?model\b|for model|provider returned error|upstream|error from provider/i.test(words) ||
    /"quotaId"\s{0,9}:\s{0,9}"[A-Za-z-]{0,80}PerModel/.test(body)
  )
    return 'model'
  if (/\bfree-models-per|\byour account\b|\baccount\b.{0,20}limit|limit.{0,20}\baccount\b|concurren|usage limit reached/i.test(words))
    return 'key'
  if (/\bip address\b|\byour ip\b|\bfrom this ip\b/i.test(words)) return 'provider'
  switch (habits?.limit_scope) {
    case 'account':
      return isOfModel(per, habits) ? 'model' : 'key'
    case 'address':
      return 'provider'
    default:
      return 'model'
  }
}

/** An account whose models have limits of their own beside its own: one that is not the account's is theirs. */
function isOfModel(per: Exhausted['per'], { limits, models = [] }: LimitHabits): boolean {
  return per !== undefined && !limits.some((limit) => limit.per === per) && models.some((model) => model.limits.length > 0)
}

function byStatus(status: number): RefusalCode {
  if (status === 429) return 'rate_limited'
  if (status === 401 || status === 403) return 'auth'
  if (status === 402) return 'payment'
  if (status === 404 || status === 410) return 'model_not_found'
  if (status === 413) return 'context_length'
  if (status === 451) return 'blocked'
  if (status === 408 || status === 504 || status === 522 || status === 524) return 'timeout'
  if (status === 498 || status === 503 || status === 529) return 'overloaded'
  if (status === 499 || status >= 500) return 'server'
  if (status >= 400) return 'invalid_request'
  return 'malformed'
}

function scopeOf(code: RefusalCode, status: number, words: string, body: string): RefusalScope {
  switch (code) {
    case 'auth':
    case 'payment':
      return 'key'
    case 'blocked':
      return 'provider'
    case 'model_not_found':
      return 'model'
    case 'overloaded':
    case 'server':
    case 'timeout':
      if (status === 499) return 'request'
      // Its front has answered in place of the model: a page, or a word about the whole service.
      if (status === 529 || isPage(body)) return 'provider'
      return /\bservice\b.{0,30}unavailable/i.test(words) && !/model/i.test(words) ? 'provider' : 'model'
    case 'malformed':
      if (status >= 300) return 'request'
      return isPage(body) ? 'provider' : 'model'
    default:
      return 'request'
  }
}

/** A page in place of a refusal comes from whoever guards the door: no word about the key, and it may let us in again soon. */
function isGuard(status: number, body: string): boolean {
  return status === 403 && isPage(body)
}

function isPage(body: string): boolean {
  return /^\s{0,20}<(?:!doctype|html)/i.test(body)
}

const OVERLOADED_MS = 30_000
const SERVER_MS = 15_000
const TIMEOUT_MS = 30_000
const PAGE_MS = 300_000

const NOT_ALLOWED = /authori[sz]|authenticat|permission|not allowed|not permitted|restricted|suspended/i

function restOf(response: Response, code: RefusalCode, scope: RefusalScope, rule: Rule | undefined, words: string): number | undefined {
  if (scope === 'request' || (rule === undefined && isGuard(response.status, response.body))) return undefined
  const usualMs = rule?.usualMs ?? usualRestOf(code, scope, response.status, words)
  if (usualMs === undefined) return undefined
  const waitHelps = code === 'overloaded' || code === 'server' || code === 'timeout'
  return waitHelps ? cooldownOf(usualMs, response) : usualMs
}

function usualRestOf(code: RefusalCode, scope: RefusalScope, status: number, words: string): number | undefined {
  switch (code) {
    case 'overloaded':
      return OVERLOADED_MS
    case 'server':
      return SERVER_MS
    case 'timeout':
      return TIMEOUT_MS
    case 'model_not_found':
      return status === 410 ? DAY_MS : HOUR_MS
    case 'payment':
    case 'blocked':
      return DAY_MS
    // A wrong key is seen to by somebody. One that is good and may not call is not soon allowed to, if that is what was said;
    // of a 403 without a reason nothing is known, and it is tried again like a wrong one: after minutes, then less and less often.
    case 'auth':
      return status === 403 && NOT_ALLOWED.test(words) ? DAY_MS : undefined
    case 'malformed':
      return scope === 'provider' ? PAGE_MS : undefined
    default:
      return undefined
  }
}
