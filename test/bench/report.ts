// Pure. Results as text for people.

import { addedLatency, type ContestantName, contestants, cpuRatio, summarize } from './figures.ts'
import { sequential } from './scenarios.ts'
import type { Results, Row, Verdict } from './targets.ts'

export function targetTable(rows: Row[]): string {
  const cell = ({ value, limit, met }: Verdict, { unit, digits }: Row) => {
    const measured = value === undefined ? '–' : `${value.toFixed(digits)}${unit}`
    if (limit === undefined) return `${measured} (no target)`
    const mark = met === undefined ? 'not run' : met ? 'ok' : 'MISSED'
    return `${measured} (≤ ${limit}${unit}) ${mark}`
  }
  return table(
    ['target', 'embedded', 'cluster'],
    rows.map((row) => [row.target, cell(row.embedded, row), cell(row.cluster, row)]),
  )
}

export function detailTable({ measurements }: Results): string {
  const rows = summarize(measurements).map((s) => [
    s.scenario,
    s.contestant,
    String(s.requests),
    String(s.errors),
    String(s.lostFrames),
    String(s.repeatedCalls),
    s.requestsPerSecond.toFixed(0),
    Number.isFinite(s.cpuPerRequest) && s.contestant !== 'direct' ? s.cpuPerRequest.toFixed(0) : '–',
    s.contestant === 'direct' ? '–' : ratio(cpuRatio(measurements, s.scenario, s.contestant)),
    pair(s.latency),
    pair(addedLatency(measurements, s.scenario, s.contestant)),
    pair(s.firstToken),
    Object.entries(s.cpuByProcess)
      .map(([name, us]) => `${name} ${us.toFixed(0)}`)
      .join(', '),
  ])
  return table(
    [
      'scenario',
      'contestant',
      'answers',
      'errors',
      'lost',
      'repeated',
      '/s',
      'CPU µs',
      '/ proxy',
      'latency ms',
      'added ms',
      'first token ms',
      'CPU µs by process',
    ],
    rows,
  )
}

export function processTable({ memory, firstAnswerMs, measurements }: Results): string {
  const ran = contestants.filter((name) => memory[name])
  const rows = ran.flatMap((name: ContestantName) =>
    Object.entries(memory[name]?.idle ?? {}).map(([process, idle]) => [
      name,
      process,
      idle.toFixed(0),
      (memory[name]?.peak[process] ?? Number.NaN).toFixed(0),
      (firstAnswerMs[name] ?? []).map((ms) => ms.toFixed(0)).join(' '),
      pair(addedLatency(measurements, sequential, name)),
    ]),
  )
  return table(['contestant', 'process', 'idle MB', 'peak MB', 'start to first answer ms', 'added, sequential ms'], rows)
}

/** p50 / p99 */
function pair({ p50, p99 }: { p50: number; p99: number }): string {
  return Number.isFinite(p50) ? `${p50.toFixed(2)} / ${p99.toFixed(2)}` : '–'
}

function ratio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)}×` : '–'
}

export function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: string[]) => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}
