// Logistic regression by AdaGrad, reproducible: the order and what is hidden come from a seeded generator.
// In part of the steps the n-grams are hidden, so that ideas and structure learn to answer alone, as they must in a language never seen.

import { buckets, dense } from '../features.ts'
import { softmax } from '../model.ts'
import type { Packed } from './rows.ts'

const epochs = 8
/** The weights are the mean of those after these last epochs: one epoch alone is noisy. */
const averaged = 5
const rate = 0.25
const decay = 2e-6
const hiddenShare = 0.5

/** Learners of different orders and hidings, whose mean is surer than any of them. */
const seeds = [1, 2, 3]

/** Weights, three a feature. */
export function learn(rows: Packed[]): Float32Array {
  const all = seeds.map((seed) => learnOnce(rows, seed))
  return (all[0] as Float32Array).map((_, at) => all.reduce((sum, one) => sum + one[at]!, 0) / all.length)
}

function learnOnce(rows: Packed[], seed: number): Float32Array {
  const weights = new Float32Array(3 * (buckets + dense))
  const mean = new Float32Array(weights.length)
  const squares = new Float32Array(weights.length).fill(0.01)
  const random = generator(seed)
  const order = rows.map((_, at) => at)
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(order, random)
    for (const at of order) step(rows[at]!, weights, squares, random)
    if (epoch >= epochs - averaged) for (let at = 0; at < mean.length; at++) mean[at]! += weights[at]! / averaged
  }
  return mean
}

function step(row: Packed, weights: Float32Array, squares: Float32Array, random: () => number): void {
  const hide = random() < hiddenShare
  const drop = random() * 0.5
  const kept: number[] = []
  const sums = [0, 0, 0]
  for (let at = 0; at < row.index.length; at++) {
    const feature = row.index[at]!
    if (feature < buckets ? hide || random() < drop : random() < 0.1) continue
    kept.push(at)
    for (let c = 0; c < 3; c++) sums[c]! += weights[3 * feature + c]! * row.value[at]!
  }
  const chance = softmax(sums[0]!, sums[1]!, sums[2]!)
  for (let c = 0; c < 3; c++) {
    const error = (chance[c]! - (row.label === c ? 0.95 : 0.025)) * row.weight
    for (const at of kept) {
      const place = 3 * row.index[at]! + c
      const slope = error * row.value[at]! + decay * weights[place]!
      squares[place]! += slope * slope
      weights[place]! -= (rate * slope) / Math.sqrt(squares[place]!)
    }
  }
}

function shuffle(order: number[], random: () => number): void {
  for (let at = order.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    const held = order[at]!
    order[at] = order[other]!
    order[other] = held
  }
}

/** Mulberry32. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b_79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
