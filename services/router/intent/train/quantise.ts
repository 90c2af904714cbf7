// Weights as the file that is shipped: two scales, then one byte a weight.

import { buckets } from '../features.ts'

/** Hashed and dense weights are scaled apart; the rare giant is cut, the many keep their steps. */
export function quantise(weights: Float32Array): Buffer {
  const bytes = Buffer.alloc(8 + weights.length)
  const parts: [number, number][] = [
    [0, 3 * buckets],
    [3 * buckets, weights.length],
  ]
  for (const [part, [from, to]] of parts.entries()) {
    const sizes = weights.slice(from, to).map(Math.abs).sort()
    const scale = sizes[Math.floor((sizes.length - 1) * (part === 0 ? 0.9995 : 1))]! / 127
    bytes.writeFloatLE(scale, 4 * part)
    const step = bytes.readFloatLE(4 * part)
    for (let at = from; at < to; at++) bytes.writeInt8(Math.max(-127, Math.min(127, Math.round(weights[at]! / step))), 8 + at)
  }
  return bytes
}
