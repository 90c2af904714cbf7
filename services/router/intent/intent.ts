// What a prompt asks for - code, reasoning or something general - from its text alone, in microseconds and without asking anybody.

import { features } from './features.ts'
import { chances, decide, type Intent, readModel } from './model.ts'

const model = readModel(new URL('weights.bin', import.meta.url))

/** Same text, same answer. Text of any length costs the same after 4 KB: both ends are read. */
export function classify(text: string): Intent {
  const read = features(text)
  if (read.count === 0) return { label: 'general', confidence: 1 }
  return decide(chances(model, read))
}
