// Pure. How quick and how reliable one provider, key or model has proved; what is old counts less, for providers change within minutes.

export interface Measured {
  /** Since this router knows it. */
  calls: number
  failures: number
  /** Moving averages: time to first token, output tokens per second, and the share of calls that succeeded. */
  ttftMs: number | undefined
  tokensPerSecond: number | undefined
  success: number
  /** How many have gone into `ttftMs`. */
  timed: number
  lastTtftMs: number | undefined
  lastError: string | undefined
  /** In ms of the caller's clock. */
  lastMs: number
}

const SPEED_WEIGHT = 0.2
const SUCCESS_WEIGHT = 0.1
/** More measurements than these make nobody surer. */
const ENOUGH = 20
const FORGOTTEN_MS = 600_000
/** What is known beforehand weighs as much as so many measurements. */
const SPEED_PRIOR_CALLS = 3
const RELIABILITY_PRIOR_CALLS = 5
const RELIABILITY_PRIOR = 0.9
/** Half as good as instant; and half as good as endlessly quick. */
const USUAL_TTFT_MS = 1_000
const USUAL_TOKENS_PER_SECOND = 50

export function newMeasured(): Measured {
  return {
    calls: 0,
    failures: 0,
    ttftMs: undefined,
    tokensPerSecond: undefined,
    success: 1,
    timed: 0,
    lastTtftMs: undefined,
    lastError: undefined,
    lastMs: 0,
  }
}

export function timed(measured: Measured, ttftMs: number | null, tokensPerSecond: number | undefined): void {
  if (ttftMs !== null) {
    measured.ttftMs = averaged(measured.ttftMs, ttftMs, SPEED_WEIGHT)
    measured.lastTtftMs = ttftMs
    measured.timed++
  }
  if (tokensPerSecond !== undefined) measured.tokensPerSecond = averaged(measured.tokensPerSecond, tokensPerSecond, SPEED_WEIGHT)
}

/** `error`: a word for the operator; undefined after a success. */
export function counted(measured: Measured, error: string | undefined, nowMs: number): void {
  measured.calls++
  measured.lastMs = nowMs
  measured.success = averaged(measured.success, error === undefined ? 1 : 0, SUCCESS_WEIGHT)
  if (error === undefined) return
  measured.failures++
  measured.lastError = error
}

/** 0 to 1; `prior` is what the catalogue says. */
export function speedOf(measured: Measured | undefined, prior: number, nowMs: number): number {
  if (measured?.ttftMs === undefined) return prior
  const start = USUAL_TTFT_MS / (USUAL_TTFT_MS + measured.ttftMs)
  const rate = measured.tokensPerSecond
  const speed = rate === undefined ? start : (start + rate / (rate + USUAL_TOKENS_PER_SECOND)) / 2
  const calls = Math.min(measured.timed, ENOUGH) * freshness(measured, nowMs)
  return (speed * calls + prior * SPEED_PRIOR_CALLS) / (calls + SPEED_PRIOR_CALLS)
}

/** 0 to 1. */
export function reliabilityOf(measured: Measured | undefined, nowMs: number): number {
  if (measured === undefined) return RELIABILITY_PRIOR
  const calls = Math.min(measured.calls, ENOUGH) * freshness(measured, nowMs)
  return (measured.success * calls + RELIABILITY_PRIOR * RELIABILITY_PRIOR_CALLS) / (calls + RELIABILITY_PRIOR_CALLS)
}

function freshness({ lastMs }: Measured, nowMs: number): number {
  return Math.max(0, 1 - (nowMs - lastMs) / FORGOTTEN_MS)
}

function averaged(before: number | undefined, now: number, weight: number): number {
  return before === undefined ? now : before + weight * (now - before)
}
