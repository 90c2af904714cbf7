// Trains the shipped weights: node services/router/intent/train/train.ts <labelled prompts, JSON lines>. Same file, same bytes.

import { writeFileSync } from 'node:fs'
import { learn } from './fit.ts'
import { quantise } from './quantise.ts'
import { pack, readRows } from './rows.ts'
import { seeds } from './seeds.ts'

const file = process.argv[2]
if (file === undefined) throw new Error('Expected a file of labelled prompts as argument')

const bytes = quantise(learn(pack([...readRows(file), ...seeds])))
writeFileSync(new URL('../weights.bin', import.meta.url), bytes)
process.stdout.write(`weights.bin: ${bytes.length} bytes\n`)
