// Pure. Whether one provider, key or model may be called: rests that end by themselves, and rests after which one attempt goes first.

export interface Breaker {
  /** Not to be chosen before, in ms of the caller's clock. */
  restUntilMs: number
  /** Why it rests, in a word: a refusal code, or `failing`. */
  why: string | undefined
  /** After the rest one attempt has to succeed before others follow. */
  unproven: boolean
  /** Somebody is trying; until then nobody else does. */
  trialUntilMs: number
  /** How often in a row it was opened. */
  opened: number
  failuresInRow: number
  /** The last outcomes as bits, 1 is a failure; and how many of them there are. */
  recent: number
  seen: number
}

const FAILURES_TO_OPEN = 5
const RECENT = 20
const RECENT_MASK = 2 ** RECENT - 1
const OPEN_MS = 30_000
const OPEN_AT_MOST_MS = 300_000
/** An attempt whose end is never told holds the place of the trial for so long. */
const TRIAL_MS = 60_000
const MAX_REST_MS = 24 * 3_600_000

export function newBreaker(): Breaker {
  return { restUntilMs: 0, why: undefined, unproven: false, trialUntilMs: 0, opened: 0, failuresInRow: 0, recent: 0, seen: 0 }
}

/** `trial`: one attempt may go, and only one. */
export type State = 'ready' | 'trial' | 'resting'

export function stateOf(breaker: Breaker | undefined, nowMs: number): State {
  if (breaker === undefined) return 'ready'
  if (nowMs < breaker.restUntilMs) return 'resting'
  if (!breaker.unproven) return 'ready'
  return nowMs < breaker.trialUntilMs ? 'resting' : 'trial'
}

/** Those that are called off or tell nothing come back soon, so that somebody else may try. */
const TRIAL_NEWS_MS = 1_000

/** When it is worth asking again, in ms of the caller's clock; 0 if it does not rest. */
export function opensAt(breaker: Breaker | undefined, nowMs: number): number {
  if (breaker === undefined || stateOf(breaker, nowMs) !== 'resting') return 0
  return breaker.restUntilMs > nowMs ? breaker.restUntilMs : Math.min(breaker.trialUntilMs, nowMs + TRIAL_NEWS_MS)
}

/** An attempt is on its way. */
export function began(breaker: Breaker, nowMs: number): void {
  if (stateOf(breaker, nowMs) === 'trial') breaker.trialUntilMs = nowMs + TRIAL_MS
}

/** The attempt has told nothing about it: somebody else may try. */
export function gaveBack(breaker: Breaker): void {
  breaker.trialUntilMs = 0
}

/** What was begun before a rest ends within it and does not end it. */
export function succeeded(breaker: Breaker, nowMs: number): void {
  if (nowMs < breaker.restUntilMs) return
  count(breaker, 0)
  breaker.failuresInRow = 0
  breaker.opened = 0
  breaker.unproven = false
  breaker.trialUntilMs = 0
  breaker.why = undefined
}

/** `alone`: whether this failure may open it, or only adds to what others do. */
export function failed(breaker: Breaker, nowMs: number, alone = true): void {
  // Many are under way when a provider breaks down: those are one breakdown, not ten.
  if (nowMs < breaker.restUntilMs) return
  count(breaker, 1)
  breaker.failuresInRow++
  const often = breaker.seen === RECENT && bitsOf(breaker.recent) > RECENT / 2
  if (breaker.unproven || (alone && (breaker.failuresInRow >= FAILURES_TO_OPEN || often))) {
    bench(breaker, nowMs, 'failing', OPEN_MS, OPEN_AT_MOST_MS)
  }
}

/** Rests for `stepMs`, longer each time until it has succeeded again; then one attempt goes first. */
export function bench(breaker: Breaker, nowMs: number, why: string, stepMs: number, atMostMs: number): void {
  if (breaker.unproven && nowMs < breaker.restUntilMs) return
  breaker.opened++
  breaker.failuresInRow = 0
  breaker.recent = 0
  breaker.seen = 0
  breaker.unproven = true
  breaker.trialUntilMs = 0
  rest(breaker, nowMs, why, Math.min(stepMs * breaker.opened, atMostMs))
}

/** Rests for at least so long, and at most a day. */
export function rest(breaker: Breaker, nowMs: number, why: string, forMs: number): void {
  const untilMs = nowMs + Math.min(Math.max(forMs, 0), MAX_REST_MS)
  if (untilMs <= breaker.restUntilMs) return
  breaker.restUntilMs = untilMs
  breaker.why = why
}

function count(breaker: Breaker, bit: 0 | 1): void {
  breaker.recent = ((breaker.recent << 1) | bit) & RECENT_MASK
  breaker.seen = Math.min(breaker.seen + 1, RECENT)
}

function bitsOf(mask: number): number {
  let bits = 0
  for (let rest = mask; rest !== 0; rest &= rest - 1) bits++
  return bits
}
