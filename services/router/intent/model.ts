// The trained weights and what they say: a linear model over the features, one row of three weights a feature, shipped as int8.

import { readFileSync } from 'node:fs'
import { buckets, dense, type Features } from './features.ts'

export const labels = ['code', 'reasoning', 'general'] as const
export type Label = (typeof labels)[number]

export interface Model {
  weights: Int8Array
  /** What one step of a weight is worth: for hashed features, for dense ones. */
  scales: [hashed: number, dense: number]
}

const rows = buckets + dense
const headerBytes = 8

/** Throws when the file does not belong to these features. */
export function readModel(url: URL): Model {
  const bytes = readFileSync(url)
  if (bytes.length !== headerBytes + 3 * rows) {
    throw new Error(
      `Intent weights must be ${headerBytes + 3 * rows} bytes for these features, but the file has ${bytes.length}; train again`,
    )
  }
  const weights = new Int8Array(bytes.buffer, bytes.byteOffset + headerBytes, 3 * rows)
  return { weights, scales: [bytes.readFloatLE(0), bytes.readFloatLE(4)] }
}

/** Chances of the three labels, in the order of `labels`. */
export function chances({ weights, scales }: Model, { index, value, count }: Features): [number, number, number] {
  const sums = [0, 0, 0]
  for (let at = 0; at < count; at++) {
    const row = index[at]!
    const amount = value[at]! * (row < buckets ? scales[0] : scales[1])
    sums[0]! += amount * weights[3 * row]!
    sums[1]! += amount * weights[3 * row + 1]!
    sums[2]! += amount * weights[3 * row + 2]!
  }
  return softmax(sums[0]!, sums[1]!, sums[2]!)
}

export function softmax(a: number, b: number, c: number): [number, number, number] {
  const top = Math.max(a, b, c)
  const [x, y, z] = [Math.exp(a - top), Math.exp(b - top), Math.exp(c - top)]
  const all = x + y + z
  return [x / all, y / all, z / all]
}
