// What telemetry is told of one request: as little as says it all. Most requests are one fact, told when they end.

import type { Target } from '#contracts/attempt.ts'
import type { Event } from '#contracts/event.ts'
import type { Subject } from '#contracts/subjects.ts'
import type { Attempt } from './attempt.ts'
import type { Desk } from './desk.ts'
import type { Order } from './order.ts'

type RequestEnded = Extract<Event, { name: 'req.end' }>
type LastAttempt = NonNullable<RequestEnded['last']>
type Ending = Pick<RequestEnded, 'outcome' | 'status' | 'attempts' | 'in' | 'out' | 'duration_ms' | 'ttfb_ms' | 'strategy' | 'error'>

export class Facts {
  readonly #order: Order
  readonly #desk: Desk
  readonly #startedAt = Date.now()
  #startTold = false
  #waits = false
  #target: Target | undefined
  #granted: { n: number; worker: string; at: number } | undefined
  /** The attempt that has ended, until it is known whether the request ends with it. */
  #last: LastAttempt | undefined

  constructor(order: Order, desk: Desk) {
    this.#order = order
    this.#desk = desk
    desk.starts.add(order.id, this)
    if (!desk.live.wanted) return
    const { format, job } = order
    const asked = job.model ?? null
    desk.live.tell({ event: 'request_started', at: this.#startedAt, ...this.#who, format, asked, stream: job.stream })
  }

  /** A router keeps it until a window of quota opens; may be repeated. */
  waits(): void {
    if (this.#waits || !this.#desk.live.wanted) return
    this.#waits = true
    this.#desk.live.tell({ event: 'request_waiting', at: Date.now(), ...this.#who })
  }

  /** Of a request that lasts. */
  tellStart(): void {
    const { id, job, format, trace } = this.#order
    this.#startTold = true
    this.#desk.outbox.record({
      id: `${id}.0.req.start.ingress`,
      at: this.#startedAt,
      name: 'req.start',
      request: id,
      model: job.model ?? null,
      stream: job.stream,
      client: this.#client,
      format,
      trace: trace.traceId,
      granted: this.#granted && { ...this.#granted, provider: this.#target?.prov ?? '' },
    })
  }

  granted(n: number, target: Target, control: Subject): void {
    const { id } = this.#order
    const at = Date.now()
    const worker = control.split('.')[4] ?? ''
    this.#target = target
    this.#granted = { n, worker, at }
    if (!this.#startTold) return
    this.#desk.outbox.record({
      id: `${id}.${n}.att.granted.ingress`,
      at,
      name: 'att.granted',
      request: id,
      n,
      provider: target.prov,
      worker,
    })
  }

  /** Of a granted attempt. Times are monotonic ms; `firstByteMs` is undefined where none came. */
  attemptEnded({ n, target, submittedMs }: Attempt, end: Pick<LastAttempt, 'result' | 'sent' | 'in' | 'out'>, firstByteMs?: number): void {
    if (!target || this.#granted?.n !== n) return
    this.#last = {
      n,
      worker: this.#granted.worker,
      account: target.account,
      granted_at: this.#granted.at,
      ...end,
      ttfb_ms: firstByteMs === undefined ? null : rounded(firstByteMs - submittedMs),
      duration_ms: rounded(performance.now() - submittedMs),
    }
    const { result } = end
    if (result === 'ok' || result.startsWith('canceled') || !this.#desk.live.wanted) return
    const { prov: provider, model } = target
    this.#desk.live.tell({ event: 'attempt_failed', at: Date.now(), ...this.#who, n, provider, model, result })
  }

  /** The request goes on with another attempt. */
  goesOn(): void {
    const ended = this.#last
    this.#last = undefined
    this.#granted = undefined
    if (!ended || !this.#target) return
    const { worker: _worker, granted_at: _grantedAt, ...told } = ended
    const { id } = this.#order
    const { prov: provider, model } = this.#target
    const at = Date.now()
    this.#desk.outbox.record({ id: `${id}.${told.n}.att.end.ingress`, at, name: 'att.end', request: id, provider, model, ...told })
  }

  ended({ duration_ms, ttfb_ms, ...ending }: Ending): void {
    const { id, job, format, trace } = this.#order
    this.#desk.starts.ended(id)
    this.#desk.outbox.record({
      id: `${id}.0.req.end.ingress`,
      at: Date.now(),
      name: 'req.end',
      request: id,
      provider: this.#target?.prov ?? null,
      model: this.#target?.model ?? null,
      ...ending,
      duration_ms: rounded(duration_ms),
      ttfb_ms: typeof ttfb_ms === 'number' ? rounded(ttfb_ms) : null,
      client: this.#client,
      format,
      asked: job.model ?? null,
      stream: job.stream,
      trace: trace.traceId,
      traceparent: trace.traceparent,
      last: this.#last,
    })
    if (!this.#desk.live.wanted) return
    const { outcome, status, attempts, in: tokensIn, out, error } = ending
    this.#desk.live.tell({
      event: 'request_ended',
      at: Date.now(),
      ...this.#who,
      outcome,
      status,
      provider: this.#target?.prov ?? null,
      model: this.#target?.model ?? null,
      attempts,
      in: tokensIn,
      out,
      duration_ms: rounded(duration_ms),
      ttfb_ms: typeof ttfb_ms === 'number' ? rounded(ttfb_ms) : null,
      error,
    })
  }

  get #who(): { request: string; client: string | undefined } {
    return { request: this.#order.id, client: this.#client }
  }

  /** Nobody's, where a gateway without clients lets this machine in. */
  get #client(): string | undefined {
    return this.#order.admitted.account?.id
  }
}

/** To microseconds: further digits are noise, and cost. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
