// The events of a background response on their way into the store, so that any replica can replay them and go on.
// They are gathered while a write is under way: a fast model costs few writes, a slow one no delay.

import { Buffer } from 'node:buffer'
import type { KeyValue } from '#contracts/bus.ts'
import { utf8 } from '#contracts/bytes.ts'
import { responseKeys } from '#contracts/subjects.ts'

const PART_BYTES = 256 * 1024
const REST_MS = 50
const RETRY_MS = 250

export interface Recorder {
  append(events: string): void
  /** Resolves with the number of parts when all is written, or when `signal` says that nobody waits any more. */
  flushed(signal: AbortSignal): Promise<number>
}

export function createRecorder(keyValue: KeyValue, id: string): Recorder {
  let waiting: Uint8Array[] = []
  let parts = 0
  let writing: Promise<void> | undefined
  let given = false

  async function write(): Promise<void> {
    while (waiting.length > 0 && !given) {
      const bytes = gather()
      while (!given) {
        try {
          await keyValue.put(responseKeys.events(id, parts), bytes)
          parts++
          break
        } catch {
          // The broker is away: readers wait as we do.
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
        }
      }
      await new Promise((resolve) => setTimeout(resolve, REST_MS))
    }
    writing = undefined
  }

  /** As much as fits one part. */
  function gather(): Uint8Array {
    const all = waiting.length === 1 ? (waiting[0] as Uint8Array) : Buffer.concat(waiting)
    waiting = all.length > PART_BYTES ? [all.subarray(PART_BYTES)] : []
    return all.subarray(0, PART_BYTES)
  }

  return {
    append(events) {
      if (events === '') return
      waiting.push(utf8(events))
      writing ??= write()
    },
    async flushed(signal) {
      signal.addEventListener('abort', () => (given = true), { once: true })
      await writing
      return parts
    },
  }
}
