// One reader of the live feed: server-sent events, written by @elysiajs/stream behind a guard. Left to itself that package holds
// everything that a slow reader has not taken, fails when a reader leaves, and frames some texts wrongly; so it is only ever given
// one object at a time, when the reader asks for more, and it never hears of a reader who leaves.

import { Stream } from '@elysiajs/stream'
import type { LiveEvent } from '#contracts/live.ts'

/** What a slow reader may be behind; then the oldest are left out. */
const MAX_BEHIND = 256
/** So that whoever is in between keeps the connection, and one that is dead is noticed. */
const PING_EVERY_MS = 15_000
const RETRY_MS = 3_000

/** Also a sign of life. */
type WatchedEvent = LiveEvent | { event: 'ping'; at: number }

export interface Reader {
  readonly body: ReadableStream<Uint8Array>
  push(event: LiveEvent): void
  close(): void
}

/** `onGone` is called once, when nobody reads any more. */
export function openReader(onGone: () => void): Reader {
  // The first one goes out at once, so that the reader has the headers.
  const waiting: WatchedEvent[] = [{ event: 'ping', at: Date.now() }]
  let skipped = 0
  let wake: (() => void) | undefined
  let over = false
  let gone = false
  const events = new Stream<object>(undefined, { retry: RETRY_MS, event: 'ping' })
  const frames = (events.value as unknown as ReadableStream<Uint8Array>).getReader()
  const ping = setInterval(() => add({ event: 'ping', at: Date.now() }), PING_EVERY_MS)

  function add(event: WatchedEvent): void {
    if (over) return
    if (waiting.length >= MAX_BEHIND) skipped += sizeOf(waiting.shift())
    waiting.push(event)
    wake?.()
  }

  function end(): void {
    if (over) return
    over = true
    clearInterval(ping)
    waiting.length = 0
    events.close()
    wake?.()
    onGone()
  }

  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        while (waiting.length === 0 && !over) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
        if (over) return gone ? undefined : controller.close()
        const next: WatchedEvent | undefined = skipped > 0 ? { event: 'skipped', at: Date.now(), count: skipped } : waiting.shift()
        if (next?.event === 'skipped') skipped = 0
        if (!next) return
        const { event, ...data } = next
        events.event = event
        // An object is written as JSON: no line feed gets out, and nothing in it is taken for a field of the event.
        events.send(data)
        const { value } = await frames.read()
        // Said once.
        events.retry = undefined
        if (over) return gone ? undefined : controller.close()
        if (value) controller.enqueue(value)
      },
      cancel() {
        gone = true
        end()
      },
    },
    { highWaterMark: 0 },
  )
  return { body, push: add, close: end }
}

/** How many events are left out with this one: it may itself say how many were, or say nothing. */
function sizeOf(event: WatchedEvent | undefined): number {
  if (event?.event === 'ping') return 0
  return event?.event === 'skipped' ? event.count : 1
}
