// A response that was answered at once, told again as a stream: its events are made anew from what was kept. Pure.

import { utf8 } from '#contracts/bytes.ts'
import { writeKept } from '#contracts/wire/responses/kept.ts'
import { SseReader } from '#contracts/wire/sse.ts'

/** Events after number `after`; texts come in one piece. */
export function replay(response: Record<string, unknown> & { id: string }, after: number): ReadableStream<Uint8Array> {
  const events: Uint8Array[] = []
  const told = writeKept(response)
  new SseReader(
    ({ data, raw }) => {
      if ((JSON.parse(data) as { sequence_number: number }).sequence_number > after) events.push(new Uint8Array(raw))
    },
    { maxEventBytes: Number.POSITIVE_INFINITY },
  ).push(utf8(told))
  events.push(utf8('data: [DONE]\n\n'))
  return new ReadableStream({
    start(controller) {
      for (const event of events) controller.enqueue(event)
      controller.close()
    },
  })
}
