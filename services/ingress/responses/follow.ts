// The events of a background response: those that are there replayed, the others as they come, on any replica.

import { utf8 } from '#contracts/bytes.ts'
import { responseKeys } from '#contracts/subjects.ts'
import { writeLast } from '#contracts/wire/responses/stream.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import type { ResponseStore } from './store.ts'
import type { Watcher } from './watch.ts'

const LOOK_EVERY_MS = 500
const PING_MS = 10_000
const PING = utf8(': ping\n\n')
const DONE = utf8('data: [DONE]\n\n')

/** From the event after number `after` to the last, then `[DONE]`. A response that is deleted meanwhile ends without a last event. */
export function follow(
  id: string,
  after: number,
  { store, watcher }: { store: ResponseStore; watcher: Watcher },
): ReadableStream<Uint8Array> {
  const parts = new Map<number, Uint8Array>()
  let stop = () => {}
  let open = true

  async function start(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    let next = 0
    /** How many parts count; known once the response is over. */
    let limit = Number.POSITIVE_INFINITY
    let lastMs = performance.now()
    let looking = false
    const reader = newReader()
    const timer = setInterval(() => void look(), LOOK_EVERY_MS)
    const watch = store.keyValue.watch(responseKeys.all(id), ({ key, value }) => {
      const name = key.slice(id.length + 1)
      const part = /^e(\d+)$/.exec(name)?.[1]
      if (part === undefined) return void (name === 'head' && look())
      if (value) parts.set(Number(part), new Uint8Array(value))
      advance()
    })
    stop = () => {
      open = false
      clearInterval(timer)
      // A watch that could not begin needs no end.
      void watch.then(
        (opened) => opened.unsubscribe(),
        () => {},
      )
    }
    await watch.catch(() => {
      // The broker is away: the client asks again.
      if (open) finish('')
    })
    await look()

    function advance(): void {
      for (; next < limit && open; next++) {
        const part = parts.get(next)
        if (!part) return
        parts.delete(next)
        lastMs = performance.now()
        reader.push(part)
      }
    }

    async function look(): Promise<void> {
      if (looking || !open) return
      looking = true
      try {
        const found = await store.load(id)
        const kept = found && (await watcher.look(id, found))
        if (!open) return
        if (!kept) finish('')
        else if (kept.head.over) {
          limit = kept.head.events ?? 0
          advance()
          if (next >= limit) finish(writeLast(kept.body.response, kept.head.sequence ?? 0))
        } else if (performance.now() - lastMs > PING_MS) {
          lastMs = performance.now()
          controller.enqueue(PING)
        }
      } catch {
        // The broker is away for a while: the next look may tell more.
      } finally {
        looking = false
      }
    }

    function newReader(): SseReader {
      return new SseReader(
        ({ data, raw }) => {
          const { sequence_number } = JSON.parse(data) as { sequence_number: number }
          if (sequence_number > after && open) controller.enqueue(new Uint8Array(raw))
        },
        { maxEventBytes: Number.POSITIVE_INFINITY },
      )
    }

    function finish(last: string): void {
      // Whoever has died may have left half an event, which must not run into these.
      if (last !== '') newReader().push(utf8(last))
      stop()
      controller.enqueue(DONE)
      controller.close()
    }
  }

  return new ReadableStream<Uint8Array>({ start: (controller) => void start(controller), cancel: () => stop() })
}
