// The span of a batch that is stored. It belongs to no request, so it is linked to those of its requests that are traced.

import type { Event } from '#contracts/event.ts'
import { saveSpan } from '#services/spans.ts'
import type { TraceContext } from '#services/trace/trace.ts'

/** More are not kept by a span. */
const MAX_LINKS = 128

/** Rejects as `save` does. */
export async function tracedSave<T>(facts: readonly Event[], messages: number, store: string, save: () => Promise<T>): Promise<T> {
  const requests: TraceContext[] = []
  for (const fact of facts) {
    if (fact.name !== 'req.end' || !fact.traceparent) continue
    requests.push({ traceparent: fact.traceparent })
    if (requests.length === MAX_LINKS) break
  }
  if (requests.length === 0) return save()
  const span = saveSpan(requests, messages, facts.length, store)
  try {
    return await save()
  } catch (error) {
    span.fail('store_down')
    throw error
  } finally {
    span.end()
  }
}
