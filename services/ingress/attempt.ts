// Pure. One attempt as the ingress sees it: a message or the passing of time in, the next thing to do out.

import type { End, Fail, Head, InboxMessage, Noroute, Target } from '#contracts/attempt.ts'
import type { Frame } from '#contracts/frame.ts'
import type { Liveness, Patience } from '#contracts/liveness.ts'
import { excuse, heard, newLiveness, nobodyThere, weigh } from '#contracts/liveness.ts'
import type { Subject } from '#contracts/subjects.ts'

const BEAT_MS = 500
const ACK_FRAMES = 16
const ACK_BYTES = 64 * 1024
const RESEND_AT_MOST_EVERY_MS = 100
/** A router repeats every second that a job is waiting with it; one that is silent for this long is gone. */
const WAITING_SILENCE_MS = 3_000

export interface AttemptPatience extends Patience {
  /** How long a submitted attempt may wait for a worker. */
  acceptMs: number
}

/** submitted: no worker may call yet. granted: one may. open: its answer has begun. over: nothing more is expected. */
export type Stage = 'submitted' | 'granted' | 'open' | 'over'

/** Times are monotonic milliseconds. */
export interface Attempt {
  readonly n: number
  /** Where everything that answers this attempt comes in. */
  readonly inbox: Subject
  stage: Stage
  readonly submittedMs: number
  /** From when the wait for a worker counts: later than `submittedMs` if we were away ourselves. */
  waitingSinceMs: number
  routedMs: number | undefined
  acceptedMs: number | undefined
  headMs: number | undefined
  /** `fins`: its worker takes confirmations of many attempts in one. */
  target: (Target & { fins?: boolean | undefined }) | undefined
  /** Set while a router keeps the job until a window of quota opens: where that router listens, if it has said so. */
  parked: { router: Subject | undefined } | undefined
  /** Where the worker listens; known from its `accept`. */
  control: Subject | undefined
  readonly liveness: Liveness
  /** Sequence number of the next frame. */
  next: number
  unackedFrames: number
  unackedBytes: number
  lastAckMs: number
  lastResendMs: number
  /** Nothing has come from the worker since its `accept`: the grant may be lost. */
  grantUnanswered: boolean
}

export type Step =
  | { do: 'nothing' }
  | { do: 'grant' }
  | { do: 'open'; head: Head }
  | { do: 'resend' }
  | { do: 'probe' }
  | { do: 'beat' }
  | { do: 'complete'; end: End }
  | { do: 'failed'; fail: Fail }
  | { do: 'noroute'; noroute: Noroute }
  /** Try the next attempt number; nobody has called a provider. */
  | { do: 'replace'; why: 'refused' | 'busy'; prov: string }
  | { do: 'replace'; why: 'route_timeout' | 'accept_timeout' | 'waiting_timeout'; prov?: undefined }
  /** The search for a place goes on for as long as a router says so. */
  | { do: 'wait' }
  | { do: 'no_router' }
  /** The worker was granted and is lost: whether it called the provider is unknown. */
  | { do: 'lost'; why: 'gone' | 'silent' }

const nothing: Step = { do: 'nothing' }

export function newAttempt(n: number, inbox: Subject, nowMs: number): Attempt {
  return {
    n,
    inbox,
    stage: 'submitted',
    submittedMs: nowMs,
    waitingSinceMs: nowMs,
    routedMs: undefined,
    acceptedMs: undefined,
    headMs: undefined,
    target: undefined,
    parked: undefined,
    control: undefined,
    liveness: newLiveness(nowMs),
    next: 0,
    unackedFrames: 0,
    unackedBytes: 0,
    lastAckMs: nowMs,
    lastResendMs: 0,
    grantUnanswered: false,
  }
}

/**
 * `control`: the checked reply subject of an `accept` or a `waiting`. `grace`: our own connection was just renewed, so who seems to be
 * missing may still be reconnecting, and the attempt is left to its timer.
 */
export function onMessage(attempt: Attempt, message: InboxMessage, control: Subject | undefined, grace: boolean, nowMs: number): Step {
  if (attempt.stage === 'submitted') return whileSubmitted(attempt, message, control, grace, nowMs)
  if (message.t === 'routed') {
    // The worker's accept may overtake the router's word.
    attempt.routedMs ??= nowMs
    return nothing
  }
  heard(attempt.liveness, nowMs)
  if (message.t !== 'accept') attempt.grantUnanswered = false
  switch (message.t) {
    case 'accept':
      // A second accept of the same attempt: its worker has not seen the grant yet. Another worker's is denied by the caller.
      return control === attempt.control ? { do: 'grant' } : nothing
    case 'head':
      if (attempt.stage !== 'granted') return nothing
      attempt.stage = 'open'
      attempt.headMs = nowMs
      return { do: 'open', head: message }
    case 'end':
      if (attempt.stage !== 'open' || message.seq !== attempt.next) return askAgain(attempt, nowMs)
      attempt.stage = 'over'
      return { do: 'complete', end: message }
    case 'fail':
      if (message.seq > attempt.next) return askAgain(attempt, nowMs)
      attempt.stage = 'over'
      return { do: 'failed', fail: message }
    case 'hb':
      // Frames were lost on the way, and a worker whose window is full sends no further one that would show the gap.
      return message.seq > attempt.next ? askAgain(attempt, nowMs) : nothing
    default:
      return nothing
  }
}

function whileSubmitted(attempt: Attempt, message: InboxMessage, control: Subject | undefined, grace: boolean, nowMs: number): Step {
  switch (message.t) {
    case 'waiting':
      attempt.parked = { router: control }
      attempt.waitingSinceMs = nowMs
      return { do: 'wait' }
    case 'routed':
      attempt.routedMs = nowMs
      attempt.target = message
      if (attempt.parked) attempt.waitingSinceMs = nowMs
      attempt.parked = undefined
      return nothing
    case 'accept':
      if (!control) return nothing
      attempt.parked = undefined
      attempt.stage = 'granted'
      attempt.acceptedMs = nowMs
      attempt.target = message
      attempt.control = control
      attempt.grantUnanswered = true
      attempt.lastAckMs = nowMs
      heard(attempt.liveness, nowMs)
      return { do: 'grant' }
    case 'refused':
    case 'busy':
      if (grace && message.t === 'refused') return nothing
      attempt.stage = 'over'
      return { do: 'replace', why: message.t, prov: message.prov }
    case 'noroute':
      attempt.stage = 'over'
      return { do: 'noroute', noroute: message }
    default:
      return nothing
  }
}

/** What to do with a data frame: hand it on, drop it (seen before), or ask for what is missing. */
export function onFrame(attempt: Attempt, frame: Frame, nowMs: number): 'deliver' | 'drop' | 'resend' {
  heard(attempt.liveness, nowMs)
  attempt.grantUnanswered = false
  // Frames that overtook their head are asked for again by the beat.
  if (attempt.stage !== 'open' || frame.seq < attempt.next) return 'drop'
  if (frame.seq > attempt.next) return askAgain(attempt, nowMs).do === 'resend' ? 'resend' : 'drop'
  attempt.next++
  attempt.unackedFrames++
  attempt.unackedBytes += frame.payload.length
  return 'deliver'
}

/** Nobody listened to what we sent: the router before a grant, the worker after it. */
export function onNobodyThere(attempt: Attempt, grace: boolean, nowMs: number): Step {
  if (attempt.stage === 'submitted') {
    if (grace) return nothing
    attempt.stage = 'over'
    return { do: 'no_router' }
  }
  nobodyThere(attempt.liveness, nowMs)
  return nothing
}

export function wantsAck(attempt: Attempt): boolean {
  return attempt.unackedFrames >= ACK_FRAMES || attempt.unackedBytes >= ACK_BYTES
}

/** Everything up to the returned sequence number is acknowledged from now on. */
export function acknowledge(attempt: Attempt, nowMs: number): number {
  attempt.unackedFrames = 0
  attempt.unackedBytes = 0
  attempt.lastAckMs = nowMs
  return attempt.next - 1
}

/** `grace`: our own connection was just renewed, the peer may be late. Not to be called while the bus is away. */
export function onTick(attempt: Attempt, patience: AttemptPatience, grace: boolean, nowMs: number): Step {
  if (attempt.stage === 'over') return nothing
  if (attempt.stage === 'submitted') {
    if (nowMs - attempt.waitingSinceMs < (attempt.parked ? WAITING_SILENCE_MS : patience.acceptMs)) return nothing
    attempt.stage = 'over'
    const late = attempt.routedMs === undefined ? 'route_timeout' : 'accept_timeout'
    return { do: 'replace', why: attempt.parked ? 'waiting_timeout' : late }
  }
  const verdict = weigh(attempt.liveness, patience, nowMs)
  if (verdict === 'silent' || (verdict === 'gone' && !grace)) {
    attempt.stage = 'over'
    return { do: 'lost', why: verdict }
  }
  if (verdict === 'probe') return { do: 'probe' }
  if (nowMs - attempt.lastAckMs < BEAT_MS) return nothing
  return { do: attempt.grantUnanswered ? 'grant' : 'beat' }
}

/** This process was away itself: nobody else is late for that. */
export function onAbsence(attempt: Attempt, absentMs: number): void {
  attempt.waitingSinceMs += absentMs
  excuse(attempt.liveness, absentMs)
}

/** The bus was away: silence in that time means nothing, and frames may be lost. */
export function onReconnected(attempt: Attempt, nowMs: number): Step {
  heard(attempt.liveness, nowMs)
  if (attempt.stage === 'submitted') {
    attempt.stage = 'over'
    return { do: 'replace', why: attempt.routedMs === undefined ? 'route_timeout' : 'accept_timeout' }
  }
  return attempt.stage === 'over' ? nothing : { do: 'resend' }
}

function askAgain(attempt: Attempt, nowMs: number): Step {
  if (nowMs - attempt.lastResendMs < RESEND_AT_MOST_EVERY_MS) return nothing
  attempt.lastResendMs = nowMs
  return { do: 'resend' }
}
