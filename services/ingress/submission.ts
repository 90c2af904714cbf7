// Pure. The job of a client as it is submitted to the routers, with what earlier attempts have taught.

import type { BlobReference, Submit } from '#contracts/attempt.ts'
import type { Job, Need } from '#contracts/job.ts'
import { encode } from '#contracts/message.ts'
import type { TraceContext } from '#services/trace.ts'

export interface Submission {
  id: string
  n: number
  ttlMs: number
  job: Job
  need: Need
  /** Providers, or provider/account, that must not be taken, or only if nothing else is left. */
  exclude: string[]
  avoid: string[]
  /** Set if the body is too large to travel with the message. */
  blob: BlobReference | undefined
  trace: TraceContext | undefined
}

export function writeSubmission({ id, n, ttlMs, job, need, exclude, avoid, blob, trace }: Submission): Uint8Array {
  const message: Submit = {
    v: 1,
    t: 'submit',
    id,
    n,
    ttl_ms: ttlMs,
    kind: job.kind,
    stream: job.stream,
    include_usage: job.includeUsage,
    model: job.model,
    strategy: job.strategy,
    preferred: job.preferred,
    fallback: job.fallback,
    billable_ok: true,
    need,
    est: job.estimate,
    exclude,
    avoid,
    blob,
    trace,
  }
  return encode(message, blob ? undefined : job.body)
}
