// How good the classifier is on sources that it never saw: node services/router/intent/train/eval.ts <labelled prompts, JSON lines>.
// Whole sources are left out by turns: a random split would only show how well a source is known by its style.

import { chances, decide, labels } from '../model.ts'
import { learn } from './fit.ts'
import { quantise } from './quantise.ts'
import { type Packed, pack, type Row, readRows } from './rows.ts'
import { seeds } from './seeds.ts'

const folds = 6
const file = process.argv[2]
if (file === undefined) throw new Error('Expected a file of labelled prompts as argument')

const rows = readRows(file)
const foldOf = foldsOfSources(rows)
const guesses = new Map<Row, number>()
for (let fold = 0; fold < folds; fold++) {
  const held = rows.filter((row) => foldOf.get(row.source) === fold)
  const bytes = quantise(learn(pack([...rows.filter((row) => foldOf.get(row.source) !== fold), ...seeds])))
  const model = {
    weights: new Int8Array(bytes.buffer, bytes.byteOffset + 8, bytes.length - 8),
    scales: [bytes.readFloatLE(0), bytes.readFloatLE(4)] as [number, number],
  }
  for (const [at, packed] of pack(held).entries()) {
    const chance = chances(model, { ...packed, count: packed.index.length } satisfies Packed & { count: number })
    guesses.set(held[at]!, labels.indexOf(decide(chance).label))
  }
}
report('all', rows)
report(
  'English',
  rows.filter((row) => row.lang === 'en'),
)
report(
  'not English',
  rows.filter((row) => row.lang !== 'en'),
)
for (const [lang, of] of Map.groupBy(rows, (row) => row.lang)) line(`language ${lang}`, of)
for (const [source, of] of Map.groupBy(rows, (row) => row.source)) line(`source ${source}`, of)

/** The sources of each label, largest first, dealt to the folds like cards. */
function foldsOfSources(all: Row[]): Map<string, number> {
  const sources = [...Map.groupBy(all, (row) => row.source)]
  const main = (of: Row[]) => labels.map((label) => of.filter((row) => row.label === label).length)
  const sorted = sources
    .map(([source, of]) => ({ source, label: main(of).indexOf(Math.max(...main(of))), size: of.length }))
    .sort((a, b) => a.label - b.label || b.size - a.size)
  return new Map(sorted.map(({ source }, at) => [source, at % folds]))
}

function report(name: string, of: Row[]): void {
  const table = labels.map((label) => labels.map((_, c) => of.filter((row) => row.label === label && guesses.get(row) === c).length))
  const recall = table.map((found, c) => found[c]! / sum(found))
  const f1 = table.map((found, c) => (2 * found[c]!) / (sum(found) + sum(table.map((row) => row[c]!))))
  line(name, of)
  say(`  macro-F1 ${(sum(f1) / 3).toFixed(3)}; recall ${labels.map((label, c) => `${label} ${recall[c]!.toFixed(3)}`).join(', ')}`)
  for (const [c, found] of table.entries()) say(`  ${labels[c]} taken for code ${found[0]}, reasoning ${found[1]}, general ${found[2]}`)
}

function line(name: string, of: Row[]): void {
  const right = of.filter((row) => labels[guesses.get(row)!] === row.label)
  const each = labels.map(
    (label) => [label, of.filter((row) => row.label === label).length, right.filter((row) => row.label === label).length] as const,
  )
  const shares = each.filter(([, all]) => all > 0).map(([label, all, found]) => `${label} ${(found / all).toFixed(2)} of ${all}`)
  say(`${name}: accuracy ${(right.length / of.length).toFixed(3)}; ${shares.join(', ')}`)
}

function sum(numbers: number[]): number {
  return numbers.reduce((all, one) => all + one, 0)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}
