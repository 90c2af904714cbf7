// What classifying costs: the load of the weights, prompts of usual length, and a megabyte of the worst. Times are this machine's.

import { performance } from 'node:perf_hooks'
import { seeds } from './seeds.ts'

const loadStart = performance.now()
const { classify } = await import('../intent.ts')
say('load', (performance.now() - loadStart) * 1_000)

const paragraph = 'The quick brown fox bought 3 apples in Paris, and then wrote a function that returns them. '
const prompts: [string, string[]][] = [
  ['hand-written prompts', seeds.map((seed) => seed.text)],
  ['300 characters', [paragraph.repeat(4).slice(0, 300)]],
  ['1,000 characters', [paragraph.repeat(12).slice(0, 1_000)]],
  ['4,000 characters', [paragraph.repeat(45).slice(0, 4_000)]],
  ['1 MB of prose', [paragraph.repeat(12_000)]],
  ...['(((', '```', '    ', 'aA1$\\', '数を求', 'İ', '\ud800', '?!'].map((unit): [string, string[]] => [
    `1 MB of ${JSON.stringify(unit)}`,
    [unit.repeat(Math.ceil(1_048_576 / unit.length))],
  ]),
]
for (const [name, texts] of prompts) {
  const times: number[] = []
  for (let round = 0; round < 2_000; round++) {
    const text = texts[round % texts.length]!
    const start = performance.now()
    classify(text)
    times.push((performance.now() - start) * 1_000)
  }
  times.sort((a, b) => a - b)
  say(name, times[1_000]!, times[1_980]!)
}

function say(name: string, medianMicros: number, p99Micros = medianMicros): void {
  process.stdout.write(`${name}: median ${medianMicros.toFixed(0)} µs, p99 ${p99Micros.toFixed(0)} µs\n`)
}
