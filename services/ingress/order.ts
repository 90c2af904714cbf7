// One request as it was taken over from the client.

import type { Job } from '#contracts/job.ts'
import type { Admitted } from './access/access.ts'
import type { Delivery } from './delivery.ts'
import type { RequestTrace } from './request-trace.ts'

export interface Order {
  id: string
  /** What the client calls the request: its own id, if it sent a sane one. */
  publicId: string
  /** In which it was asked, e.g. `chat/completions`. */
  format: string
  job: Job
  /** Who asks, and what is told when the request is over. */
  admitted: Pick<Admitted, 'account' | 'roles' | 'finished' | 'named'>
  delivery: Delivery
  receivedMs: number
  deadlineMs: number
  /** How long it may wait for a window of quota to open, from `receivedMs` on. */
  maxWaitMs: number
  trace: RequestTrace
}
