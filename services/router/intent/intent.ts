// What a prompt asks for - code, reasoning or something general - from its text alone, in microseconds and without asking anybody.

import { features } from './features.ts'
import { chances, type Label, labels, readModel } from './model.ts'

export interface Intent {
  label: Label
  /** Chance of the label, 0 to 1; of `general`, too, when it stands in for a doubtful answer. */
  confidence: number
}

/** Below this chance a guess is not worth a specialist. */
const threshold = 0.45

const model = readModel(new URL('weights.bin', import.meta.url))

/** Same text, same answer. Text of any length costs the same after 4 KB: both ends are read. */
export function classify(text: string): Intent {
  const read = features(text)
  if (read.count === 0) return { label: 'general', confidence: 1 }
  const chance = chances(model, read)
  const best = chance[0] > chance[1] && chance[0] > chance[2] ? 0 : chance[1] > chance[2] ? 1 : 2
  if (chance[best] < threshold) return { label: 'general', confidence: chance[2] }
  return { label: labels[best], confidence: chance[best] }
}
