// The event log of the in-process broker: what was appended, kept for a week, and who has seen it.

import { Disconnected, type EventConsumerOptions, type EventLog, LogFull, PayloadTooLarge, type Subscription } from '#contracts/bus.ts'
import type { Handle } from './memory.ts'
import { openMemoryConsumer } from './memory-consumer.ts'
import type { Store } from './sqlite.ts'

const KEPT_MS = 7 * 24 * 60 * 60 * 1000
const DUPLICATE_WINDOW_MS = 10 * 60 * 1000
const SWEEP_MS = 60 * 1000

export interface MemoryEventLog {
  /** The log as one service sees it. */
  through(handle: Handle): EventLog
  close(): void
}

/** Refuses events with LogFull when it holds `maxBytes` of data; what is older than a week goes. */
export function openMemoryEventLog(store: Store, maxBytes: number): MemoryEventLog {
  const consumers = new Map<string, ReturnType<typeof openMemoryConsumer>>()
  const ids = new Map<string, { at: number; stored: Promise<void> }>()
  let { lastSeq, bytes } = store.logState()
  let sweptAt = 0
  for (const { id, at } of store.idsSince(Date.now() - DUPLICATE_WINDOW_MS)) ids.set(id, { at, stored: Promise.resolve() })

  function sweep(now: number): void {
    for (const [id, { at }] of ids) {
      if (at >= now - DUPLICATE_WINDOW_MS) break
      ids.delete(id)
    }
    if (now - sweptAt < SWEEP_MS) return
    sweptAt = now
    bytes -= store.deleteBefore(now - KEPT_MS)
  }

  async function append(subject: string, id: string, data: Uint8Array): Promise<void> {
    const now = Date.now()
    sweep(now)
    const known = ids.get(id)
    if (known) return known.stored
    if (bytes + data.length > maxBytes) throw new LogFull(`the event log holds ${bytes} bytes and takes no more`)
    bytes += data.length
    const stored = store.appendRow({ seq: ++lastSeq, subject, id, data: new Uint8Array(data), at: now })
    ids.set(id, { at: now, stored })
    try {
      await stored
    } catch (cause) {
      ids.delete(id)
      bytes -= data.length
      throw new LogFull('the event log could not be written', { cause })
    }
    for (const consumer of consumers.values()) consumer.wake()
  }

  return {
    through: (handle) => ({
      async append(subject, id, data) {
        if (!handle.connected) throw new Disconnected('event log: the connection to the broker is down')
        if (data.length > handle.maxPayload) throw new PayloadTooLarge(`event log: ${data.length} bytes are more than ${handle.maxPayload}`)
        await append(subject, id, data)
      },
      async consume(options: EventConsumerOptions, onBatch): Promise<Subscription> {
        if (!handle.connected) throw new Disconnected('event log: the connection to the broker is down')
        const consumer = consumers.get(options.durable) ?? openMemoryConsumer(store, options.durable)
        consumers.set(options.durable, consumer)
        return consumer.join(handle, options, onBatch)
      },
    }),
    close() {
      for (const consumer of consumers.values()) consumer.close()
    },
  }
}
