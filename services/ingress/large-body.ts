// Room for a large body, which is collected where it will stay: pieces that are joined in the end take twice the memory.

import { allocate } from '#contracts/bytes.ts'

/** Smaller bodies come in few pieces. */
const LARGE_BYTES = 128 * 1024
const MAX_PROMISED_BYTES = 512 * 1024 * 1024

/** Announced by clients that may not have sent it yet. What is not filled costs next to nothing, but not without end. */
let promisedBytes = 0

/** `onClosed` takes what is called when nothing more will come in. Undefined: it is better collected in pieces. */
export function roomFor(bytes: number, onClosed: (done: () => void) => void): Uint8Array | undefined {
  if (bytes < LARGE_BYTES || promisedBytes + bytes > MAX_PROMISED_BYTES) return undefined
  promisedBytes += bytes
  onClosed(() => {
    promisedBytes -= bytes
  })
  return allocate(bytes)
}
