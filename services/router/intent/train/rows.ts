// Labelled prompts as the trainer wants them: features packed once, weights that make every source and every label heard.

import { readFileSync } from 'node:fs'
import { features } from '../features.ts'
import { type Label, labels } from '../model.ts'

export interface Row {
  text: string
  label: Label
  source: string
  lang: string
}

export interface Packed {
  index: Int32Array
  value: Float32Array
  label: number
  weight: number
}

/** One JSON object a line: `{ text, label, source, lang }`. */
export function readRows(file: string): Row[] {
  const lines = readFileSync(file, 'utf8').split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line))
}

/** A source weighs by the root of its size; then every label weighs the same. */
export function pack(rows: Row[]): Packed[] {
  const sizes = Map.groupBy(rows, (row) => `${row.source}/${row.label}/${row.lang === 'en' ? 'en' : 'other'}`)
  const weights = rows.map((row) => 1 / Math.sqrt(sizes.get(`${row.source}/${row.label}/${row.lang === 'en' ? 'en' : 'other'}`)!.length))
  const sums = new Map<Label, number>()
  for (const [at, row] of rows.entries()) sums.set(row.label, (sums.get(row.label) ?? 0) + weights[at]!)
  return rows.map((row, at) => {
    const { index, value, count } = features(row.text)
    const weight = (weights[at]! * rows.length) / (3 * sums.get(row.label)!)
    return { index: index.slice(0, count), value: value.slice(0, count), label: labels.indexOf(row.label), weight }
  })
}
