// Pure. What freeway promises, and whether a run keeps it.

import {
  addedLatency,
  type ContestantName,
  cpuRatio,
  type Measurement,
  type Memory,
  median,
  type Percentiles,
  scenarioRatio,
  summarize,
} from './figures.ts'
import { answers, crowd, sequential, streams, streamsInMessages, streamsInResponses } from './scenarios.ts'

export interface Results {
  measurements: Measurement[]
  memory: Partial<Record<ContestantName, Memory>>
  /** From a client's leaving to the end of its provider's connection, in ms. */
  cancels: Partial<Record<ContestantName, Percentiles>>
  /** From spawn to first answer, in ms, once per start. */
  firstAnswerMs: Partial<Record<ContestantName, number[]>>
}

/** `value` is undefined if the contestant did not run, `limit` if nothing is promised. */
export interface Verdict {
  value: number | undefined
  limit: number | undefined
  met: boolean | undefined
}

export interface Row {
  target: string
  unit: string
  digits: number
  embedded: Verdict
  cluster: Verdict
}

interface Target {
  target: string
  unit: string
  digits: number
  limits: { embedded: number; cluster?: number }
  figure(results: Results, name: ContestantName): number
}

const targets: Target[] = [
  {
    target: 'CPU per non-streamed request / minimal proxy',
    unit: '×',
    digits: 2,
    limits: { embedded: 4, cluster: 8 },
    figure: ({ measurements }, name) => cpuRatio(measurements, answers, name),
  },
  {
    target: 'CPU per 100-chunk stream / minimal proxy',
    unit: '×',
    digits: 2,
    limits: { embedded: 3, cluster: 6 },
    figure: ({ measurements }, name) => cpuRatio(measurements, streams, name),
  },
  {
    target: 'CPU per 100-chunk stream in Messages / in chat completions',
    unit: '×',
    digits: 2,
    limits: { embedded: 1.5, cluster: 1.5 },
    figure: ({ measurements }, name) => scenarioRatio(measurements, streamsInMessages, streams, name),
  },
  {
    target: 'CPU per 100-chunk stream in Responses / in chat completions',
    unit: '×',
    digits: 2,
    limits: { embedded: 1.5, cluster: 1.5 },
    figure: ({ measurements }, name) => scenarioRatio(measurements, streamsInResponses, streams, name),
  },
  {
    target: 'added latency, sequential, p50',
    unit: ' ms',
    digits: 2,
    limits: { embedded: 0.5, cluster: 1.2 },
    figure: ({ measurements }, name) => addedLatency(measurements, sequential, name).p50,
  },
  {
    target: '300 concurrent streams: time to first token p99',
    unit: ' ms',
    digits: 0,
    limits: { embedded: 200, cluster: 300 },
    figure: ({ measurements }, name) => of(measurements, name).find((s) => s.scenario === crowd)?.firstToken.p99 ?? Number.NaN,
  },
  {
    target: 'client leaves, until its provider is called no more, p99',
    unit: ' ms',
    digits: 1,
    limits: { embedded: 20, cluster: 20 },
    figure: ({ cancels }, name) => cancels[name]?.p99 ?? Number.NaN,
  },
  {
    target: 'frames lost',
    unit: '',
    digits: 0,
    limits: { embedded: 0, cluster: 0 },
    figure: ({ measurements }, name) => of(measurements, name).reduce((sum, s) => sum + s.lostFrames, 0),
  },
  {
    target: 'errors',
    unit: '',
    digits: 0,
    limits: { embedded: 0, cluster: 0 },
    figure: ({ measurements }, name) => of(measurements, name).reduce((sum, s) => sum + s.errors, 0),
  },
  {
    target: 'idle memory (RSS), largest process',
    unit: ' MB',
    digits: 0,
    limits: { embedded: 120, cluster: 90 },
    figure: ({ memory }, name) => Math.max(...Object.values(memory[name]?.idle ?? { none: Number.NaN })),
  },
  {
    target: '`start` to first answer',
    unit: ' ms',
    digits: 0,
    limits: { embedded: 1500 },
    figure: ({ firstAnswerMs }, name) => median(firstAnswerMs[name] ?? []),
  },
]

export function judge(results: Results): Row[] {
  return targets.map(({ target, unit, digits, limits, figure }) => {
    const verdict = (name: ContestantName, limit: number | undefined): Verdict => {
      const ran = results.memory[name] !== undefined
      const value = ran ? figure(results, name) : undefined
      return { value, limit, met: value === undefined || limit === undefined ? undefined : value <= limit }
    }
    return { target, unit, digits, embedded: verdict('embedded', limits.embedded), cluster: verdict('cluster', limits.cluster) }
  })
}

export function missed(rows: Row[]): boolean {
  return rows.some(({ embedded, cluster }) => embedded.met === false || cluster.met === false)
}

function of(measurements: Measurement[], name: ContestantName) {
  return summarize(measurements).filter((summary) => summary.contestant === name)
}
