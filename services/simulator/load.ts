// Pure. Text by weight instead of meaning: numbered pieces of a given size, so that a reader can tell what is missing and what came twice.

import type { Fault } from './fault.ts'

const DEFAULT_SIZE = 20

export function isLoad(fault: Fault): boolean {
  return fault.chunks !== undefined || fault.endless === true
}

/** Piece `i` is its number and `x` up to `size` bytes, never shorter than the number. */
export function* loadPieces({ chunks = 0, size = DEFAULT_SIZE, endless }: Fault): Generator<string> {
  for (let i = 0; endless || i < chunks; i++) yield `${i} `.padEnd(size, 'x')
}
