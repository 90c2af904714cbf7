// Pure. The job of a client as it is submitted to the routers, with what earlier attempts have taught.

import type { BlobReference, Submit } from '#contracts/attempt.ts'
import type { Job } from '#contracts/job.ts'
import { Message } from '#contracts/message.ts'
import type { TraceContext } from '#services/trace/trace.ts'
import type { Order } from './order.ts'
import type { Search } from './search.ts'

export interface Submission {
  id: string
  n: number
  ttlMs: number
  /** What is left of the time that it may wait for quota. */
  maxWaitMs: number
  job: Job
  admitted: Pick<Order['admitted'], 'account' | 'roles'>
  search: Search
  /** Set if the body is too large to travel with the message. */
  blob: BlobReference | undefined
  trace: TraceContext | undefined
}

export function writeSubmission({ id, n, ttlMs, maxWaitMs, job, admitted, search, blob, trace }: Submission): Message {
  const message: Submit = {
    v: 1,
    t: 'submit',
    id,
    n,
    ttl_ms: ttlMs,
    kind: job.kind,
    stream: job.stream,
    key_id: admitted.account?.id,
    roles: admitted.roles && [...admitted.roles],
    include_usage: job.includeUsage,
    model: search.adapted?.model ?? job.model,
    strategy: job.strategy,
    preferred: job.preferred,
    fallback: job.fallback,
    explain: job.explain,
    billable_ok: true,
    need: search.need,
    est: job.estimate,
    exclude: [...search.exclude],
    avoid: [...search.avoid],
    abandoned: search.abandoned.length > 0 ? [...search.abandoned] : undefined,
    adapt: search.adapted?.adapt,
    max_wait_ms: maxWaitMs > 0 ? maxWaitMs : undefined,
    blob,
    trace,
  }
  return new Message(message, blob ? undefined : job.body)
}
