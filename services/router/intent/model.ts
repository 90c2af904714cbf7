// The trained weights and what they say: a linear model over the features, one row of three weights a feature, shipped as int8.

import { readFileSync } from 'node:fs'
import { buckets, dense, type Features } from './features.ts'

export const labels = ['code', 'reasoning', 'general'] as const
export type Label = (typeof labels)[number]

export interface Intent {
  label: Label
  /** Chance of the label, 0 to 1; of `general`, too, when it stands in for a doubtful answer. */
  confidence: number
}

/** Below this chance a guess is not worth a specialist. */
const threshold = 0.45

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

/** What the chances of the three labels come to. */
export function decide(chance: readonly [number, number, number]): Intent {
  const best = chance[0] > chance[1] && chance[0] > chance[2] ? 0 : chance[1] > chance[2] ? 1 : 2
  if (chance[best] < threshold) return { label: 'general', confidence: chance[2] }
  return { label: labels[best], confidence: chance[best] }
}

export function softmax(a: number, b: number, c: number): [number, number, number] {
  const top = Math.max(a, b, c)
  const [x, y, z] = [Math.exp(a - top), Math.exp(b - top), Math.exp(c - top)]
  const all = x + y + z
  return [x / all, y / all, z / all]
}
