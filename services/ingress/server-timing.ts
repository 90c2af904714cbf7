// Pure. Where the time of a request went, as browsers and operators read it from `Server-Timing`.

import type { Attempt } from './attempt.ts'

/** As the worker tells it, in ms. */
export interface Timing {
  worker_ms: number
  upstream_ms: number
}

export function serverTiming(
  { submittedMs, routedMs, acceptedMs }: Pick<Attempt, 'submittedMs' | 'routedMs' | 'acceptedMs'>,
  timing: Timing | undefined,
  receivedMs: number,
  nowMs: number,
): string {
  const parts = [`ingress;dur=${ms(submittedMs - receivedMs)}`]
  if (routedMs !== undefined) parts.push(`route;dur=${ms(routedMs - submittedMs)}`)
  if (acceptedMs !== undefined) parts.push(`queue;dur=${ms(acceptedMs - (routedMs ?? submittedMs))}`)
  if (timing) parts.push(`worker;dur=${ms(timing.worker_ms)}`, `upstream;dur=${ms(timing.upstream_ms)}`)
  parts.push(`total;dur=${ms(nowMs - receivedMs)}`)
  return parts.join(', ')
}

function ms(duration: number): number {
  return Math.max(0, Math.round(duration * 100) / 100)
}
