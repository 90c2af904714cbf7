// Bytes on the request path. The runtime's pool gives a small buffer for a tenth of what `new Uint8Array` costs.

import { Buffer } from 'node:buffer'

/** Not zeroed: the caller fills all of it. */
export function allocate(length: number): Uint8Array {
  return Buffer.allocUnsafe(length)
}

export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8')
}

export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafe(bytes.length)
  copy.set(bytes)
  return copy
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts)
}
