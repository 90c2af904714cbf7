// What an attempt needs of the worker around it, and what it reports when it is over.

import type { Bus } from '#contracts/bus.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { Patience } from '#contracts/liveness.ts'
import type { Usage } from '#contracts/settlement.ts'
import type { Subject } from '#contracts/subjects.ts'
import type { AnswerSink, Listener } from './sink.ts'
import type { UpstreamCall, UpstreamEvents } from './upstream.ts'

export interface AttemptWorld {
  bus: Bus
  worker: string
  provider: Provider
  inbox: Subject
  control: Subject
  patience: Patience
  /** Starts the provider call; throws nothing. */
  call(events: UpstreamEvents): UpstreamCall
  answer(sink: AnswerSink): Listener
  /** Called once, when the provider is no longer called: there is room for another attempt. */
  onCalled(result: string): void
  /** Called once, when nothing more will be sent. */
  onOver(report: AttemptReport): void
}

/** What became of the attempt, for leases and events. */
export interface AttemptReport {
  /** ok, rejected(status), failed(phase), canceled(why), denied, expired */
  result: string
  sent: boolean
  /** The owner did not settle the lease, because it never will. */
  orphan: boolean
  /** The owner has the end and has confirmed it, so it tells the same. */
  confirmed: boolean
  usage: Usage
  ttfbMs: number | null
  durationMs: number
}
