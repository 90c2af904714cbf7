// Pure. What a router has learned about its providers, their keys and their models: who rests and why, who is quick, who can be relied on.
// A 429 is a cooldown, not a breaker; a client's cancel never counts; a bad key benches the key, a lost connection blames the provider.

import type { Target } from '#contracts/attempt.ts'
import type { AttemptOutcome, RefusalCode, RefusalScope } from '#contracts/settlement.ts'
import * as breakers from './breaker.ts'
import { counted, type Measured, newMeasured, timed } from './measured.ts'

export interface Condition extends breakers.Breaker, Measured {
  /** Of a provider: which of its models began the present run of failures. */
  blamed: string | undefined
}

/** By provider, `provider/account` and `provider/account/model`. */
export type Health = Map<string, Condition>

type Called = Pick<Target, 'prov' | 'account' | 'model'>
type Level = Exclude<RefusalScope, 'request'>

/** More than any catalogue has; the eldest is forgotten first. */
const MAX_CONDITIONS = 8_192
const DEFAULT_COOLDOWN_MS = 5_000
const MINUTE_MS = 60_000

/** What a refusal does if nothing else is told. No level: nothing follows for those after it. */
interface Consequence {
  level?: Level
  /** `fails`: counts for the breaker; `cools`: rests for a while; else benched for `[first, at most]` ms, until one attempt has succeeded. */
  does?: 'fails' | 'cools' | readonly [number, number]
}

const consequences: Record<RefusalCode, Consequence> = {
  rate_limited: { level: 'key', does: 'cools' },
  overloaded: { level: 'model', does: 'fails' },
  server: { level: 'model', does: 'fails' },
  timeout: { level: 'model', does: 'fails' },
  malformed: { level: 'model', does: 'fails' },
  truncated: { level: 'model', does: 'fails' },
  network: { level: 'provider', does: 'fails' },
  auth: { level: 'key', does: [5 * MINUTE_MS, 60 * MINUTE_MS] },
  payment: { level: 'key', does: [10 * MINUTE_MS, 60 * MINUTE_MS] },
  blocked: { level: 'provider', does: [10 * MINUTE_MS, 60 * MINUTE_MS] },
  model_not_found: { level: 'model', does: [5 * MINUTE_MS, 60 * MINUTE_MS] },
  // The request was at fault, or we were.
  invalid_request: {},
  context_length: {},
  too_large: {},
  content_policy: {},
  unsupported: {},
  expired: {},
  gone: {},
  body: {},
}

export function learn(health: Health, outcome: AttemptOutcome, nowMs: number): void {
  const levels = levelsOf(health, outcome)
  for (const condition of [levels.provider, levels.model]) timed(condition, outcome.ttfb_ms, outcome.tokens_per_second)
  const all = [levels.provider, levels.key, levels.model]
  if (outcome.phase === null) {
    for (const condition of all) {
      counted(condition, undefined, nowMs)
      breakers.succeeded(condition, nowMs)
    }
    levels.provider.blamed = undefined
    return
  }
  const code = codeOf(outcome)
  const { level: usual, does } = consequences[code]
  for (const condition of all) breakers.gaveBack(condition)
  if (usual === undefined || does === undefined || outcome.scope === 'request') return
  const error = outcome.status > 0 ? `${code} (${outcome.status})` : code
  const level = outcome.scope ?? usual
  const blamed = levels[level]
  if (does === 'cools') {
    for (const condition of all) condition.lastError = error
    return breakers.rest(blamed, nowMs, code, outcome.retry_after_ms ?? DEFAULT_COOLDOWN_MS)
  }
  for (const condition of all) counted(condition, error, nowMs)
  if (does !== 'fails') breakers.bench(blamed, nowMs, code, ...does)
  else breakers.failed(blamed, nowMs)
  if (outcome.retry_after_ms !== null) breakers.rest(blamed, nowMs, code, outcome.retry_after_ms)
  if (does === 'fails' && level !== 'provider') blameProvider(levels.provider, `${outcome.account}/${outcome.model}`, nowMs)
}

/** Of a provider, of its key, and of the model there: as keys of `Health`. */
export type Keys = readonly [provider: string, key: string, model: string]
export type Standing = (keys: Keys) => breakers.State

/** The state of the worst of the three. */
export function stateOf(health: Health, target: Called, nowMs: number): breakers.State {
  return standingIn(health, nowMs)(keysOf(target))
}

/** The same for many in a row: what was found for a provider and a key is kept for the next that has the same. */
export function standingIn(health: Health, nowMs: number): Standing {
  if (health.size === 0) return () => 'ready'
  const stateOfKey = (key: string) => breakers.stateOf(health.get(key), nowMs)
  let provider = ''
  let ofProvider: breakers.State = 'ready'
  let account = ''
  let ofAccount: breakers.State = 'ready'
  return (keys) => {
    if (keys[0] !== provider) {
      provider = keys[0]
      ofProvider = stateOfKey(provider)
    }
    if (ofProvider === 'resting') return 'resting'
    if (keys[1] !== account) {
      account = keys[1]
      ofAccount = stateOfKey(account)
    }
    if (ofAccount === 'resting') return 'resting'
    const ofModel = stateOfKey(keys[2])
    if (ofModel !== 'ready') return ofModel
    return ofAccount === 'ready' ? ofProvider : ofAccount
  }
}

/** When it is worth asking again, in ms of the caller's clock; 0 if it does not rest. */
export function restsUntil(health: Health, target: Called, nowMs: number): number {
  return Math.max(...keysOf(target).map((key) => breakers.opensAt(health.get(key), nowMs)))
}

/** In a word, of whichever of the three rests longest. */
export function whyResting(health: Health, target: Called, nowMs: number): string {
  const conditions = keysOf(target).map((key) => health.get(key))
  const longest = conditions.toSorted((a, b) => breakers.opensAt(b, nowMs) - breakers.opensAt(a, nowMs))[0]
  return longest?.why ?? 'failing'
}

/** An attempt is on its way: where one was to go first, nobody follows before its outcome is learned, or `giveBack`. */
export function begin(health: Health, target: Called, nowMs: number): void {
  for (const key of keysOf(target)) {
    const condition = health.get(key)
    if (condition) breakers.began(condition, nowMs)
  }
}

/** An attempt has ended without an outcome: nobody took it, or the client left. */
export function giveBack(health: Health, target: Called): void {
  for (const key of keysOf(target)) {
    const condition = health.get(key)
    if (condition) breakers.gaveBack(condition)
  }
}

/** Everything that was learned about a provider is forgotten: its operator has changed something. */
export function reset(health: Health, provider: string): void {
  for (const key of health.keys()) if (key === provider || key.startsWith(`${provider}/`)) health.delete(key)
}

export function newCondition(): Condition {
  return { ...breakers.newBreaker(), ...newMeasured(), blamed: undefined }
}

function keysOf({ prov, account, model }: Called): Keys {
  return [prov, `${prov}/${account}`, `${prov}/${account}/${model}`]
}

/** One model that fails says nothing about the others; a second one in the same run of failures does. */
function blameProvider(provider: Condition, model: string, nowMs: number): void {
  provider.blamed ??= model
  breakers.failed(provider, nowMs, provider.blamed !== model)
}

function levelsOf(health: Health, target: Called): Record<Level, Condition> {
  const [provider, key, model] = keysOf(target)
  return { provider: conditionOf(health, provider), key: conditionOf(health, key), model: conditionOf(health, model) }
}

function conditionOf(health: Health, key: string): Condition {
  const known = health.get(key)
  if (known) return known
  if (health.size >= MAX_CONDITIONS) health.delete(health.keys().next().value as string)
  const condition = newCondition()
  health.set(key, condition)
  return condition
}

/** Workers that do not tell a code tell enough to guess it. */
function codeOf({ code, key_fault, phase, status }: AttemptOutcome): RefusalCode {
  // The time that the client gave was over.
  if (phase === 'limit' && (code ?? 'timeout') === 'timeout') return 'expired'
  if (code !== undefined) return code === 'server' && phase === 'connect' ? 'network' : code
  if (status === 429) return 'rate_limited'
  if (key_fault) return 'auth'
  if (phase === 'expired' || phase === 'gone' || phase === 'body') return phase
  if (phase === 'connect') return 'network'
  if ((phase === 'status' || phase === 'in_band') && status >= 400 && status < 500 && status !== 408) return 'invalid_request'
  return phase === 'ttfb' ? 'timeout' : 'server'
}
