// Pure. From the CPU time that each service spends on a request and on an open stream to the pods that a load needs.

export const parts = ['ingress', 'router', 'worker', 'telemetry', 'nats'] as const
export type Part = (typeof parts)[number]

/** In microseconds of CPU time, all replicas of the service together. */
export interface Cost {
  /** A whole answer, and a stream of 100 chunks that comes as fast as it can. */
  answer: number
  stream: number
  /** One second of a stream that brings ten chunks in it. */
  openSecond: number
  /** Of one replica; MB. */
  idleMb: number
  /** That an open stream adds to all replicas together; MB. */
  openMb: number
}

export interface Measured {
  replicas: number
  costs: Record<Part, Cost>
}

/** A pod may use a core; above this share of it answers would wait for their turn. */
export const BUSY = 0.6
export const POD_CORES = 1
export const POD_MB = 1_024
/** Beside what is needed: one may die, or be rolled. */
export const LEAST_PODS = 2
/** Of a JetStream cluster; plain messages are spread over them. */
export const BROKERS = 3

export interface Load {
  name: string
  answersPerSecond: number
  streamsPerSecond: number
  openStreams: number
}

export const loads: Load[] = [
  ...[100, 1_000, 10_000].flatMap((perSecond) => [
    { name: `${count(perSecond)} answers/s`, answersPerSecond: perSecond, streamsPerSecond: 0, openStreams: 0 },
    { name: `${count(perSecond)} streams/s of 100 chunks`, answersPerSecond: 0, streamsPerSecond: perSecond, openStreams: 0 },
  ]),
  { name: '100,000 open streams, 10 chunks/s each', answersPerSecond: 0, streamsPerSecond: 0, openStreams: 100_000 },
]

export interface Need {
  cores: number
  gb: number
  pods: number
}

/** What one part of the deployment needs for a load; pods for the larger of CPU time and memory. */
export function needOf({ answersPerSecond, streamsPerSecond, openStreams }: Load, part: Part, cost: Cost): Need {
  const cores = (answersPerSecond * cost.answer + streamsPerSecond * cost.stream + openStreams * cost.openSecond) / 1e6
  const loadMb = openStreams * cost.openMb
  const forCores = Math.ceil(cores / (POD_CORES * BUSY))
  const forMemory = Math.ceil(loadMb / (POD_MB * BUSY - cost.idleMb))
  const least = part === 'nats' ? BROKERS : LEAST_PODS
  const pods = Math.max(least, forCores, forMemory)
  return { cores, gb: (loadMb + pods * cost.idleMb) / 1024, pods }
}

/** CPU time of everything together for one answer: at the most replicas over that at one. */
export function growth(measured: Measured[], what: 'answer' | 'stream' | 'openSecond'): number {
  const total = ({ costs }: Measured) => parts.reduce((sum, part) => sum + costs[part][what], 0)
  const sorted = measured.toSorted((a, b) => a.replicas - b.replicas)
  const [first] = sorted
  const last = sorted.at(-1)
  return first && last ? total(last) / total(first) : Number.NaN
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
