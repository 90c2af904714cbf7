// Pure. Whether the other end of an attempt is still there: silence and the no-responders signal, weighed by time.
// Both ends use it, with their own patience. Times are monotonic milliseconds of the caller.

export interface Liveness {
  lastHeardMs: number
  /** Since when nobody listens at the peer's subject, as far as we were told. */
  doubtSinceMs: number | undefined
  /** The last probe was answered by the no-responders signal. */
  confirmed: boolean
  lastProbeMs: number
}

export interface Patience {
  /** Silence after which the peer counts as frozen or cut off. */
  silenceMs: number
  /** How long the no-responders signal must hold before the peer counts as gone. */
  goneMs: number
  probeEveryMs: number
}

/**
 * A peer that lost only its own connection is back after 56 ms at most on a single server. In a cluster it may have lost its server: it finds
 * another one, and that one has to tell the others; on busy machines this took longer than half a second, and whole streams were given up.
 */
export const confirmation = {
  single: { goneMs: 60, probeEveryMs: 20 },
  cluster: { goneMs: 1_500, probeEveryMs: 100 },
} as const

/** After our own reconnect the peer may still be reconnecting: its absence means nothing for this long. */
export const RECONNECT_GRACE_MS = 3_000

const LATE_TICKS = 3

export type Verdict = 'alive' | 'probe' | 'gone' | 'silent'

export function newLiveness(nowMs: number): Liveness {
  return { lastHeardMs: nowMs, doubtSinceMs: undefined, confirmed: false, lastProbeMs: 0 }
}

/** Any message of the peer ends the doubt. */
export function heard(state: Liveness, nowMs: number): void {
  state.lastHeardMs = nowMs
  state.doubtSinceMs = undefined
}

/** We were not looking, blocked or stopped: our own absence must not be taken for the peer's. */
export function excuse(state: Liveness, absentMs: number): void {
  state.lastHeardMs += absentMs
}

/** How long this process was away, if a tick that was due every `tickMs` comes as late as this. */
export function absence(sinceLastTickMs: number, tickMs: number): number {
  return sinceLastTickMs > LATE_TICKS * tickMs ? sinceLastTickMs : 0
}

/** The no-responders signal came for something we sent to the peer. */
export function nobodyThere(state: Liveness, nowMs: number): void {
  state.doubtSinceMs ??= nowMs
  state.confirmed = true
}

/** On `probe` the caller sends the peer something that asks for the no-responders signal. */
export function weigh(state: Liveness, patience: Patience, nowMs: number): Verdict {
  if (state.doubtSinceMs !== undefined) {
    if (state.confirmed && nowMs - state.doubtSinceMs >= patience.goneMs) return 'gone'
    if (nowMs - state.lastProbeMs >= patience.probeEveryMs) {
      state.lastProbeMs = nowMs
      state.confirmed = false
      return 'probe'
    }
  }
  return nowMs - state.lastHeardMs >= patience.silenceMs ? 'silent' : 'alive'
}
