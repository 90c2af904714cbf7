// Pure. From the CPU time that each service spends on a request and on an open stream to the pods that a load needs.

export const parts = ['ingress', 'router', 'worker', 'telemetry', 'nats'] as const
export type Part = (typeof parts)[number]

/** In microseconds of CPU time, all replicas of the service together: an answer of one chunk, and a stream of 100. */
export interface Calm {
  answer: number
  stream: number
}

/** Of a single replica that has as much to do as it can: what comes together is cheaper than what comes alone. */
export interface Cost extends Calm {
  /** One second of a stream that brings ten chunks in it. */
  openSecond: number
  /** Of one replica; MB. */
  idleMb: number
  /** That an open stream adds; MB. */
  openMb: number
}

/** With little to do, the same for each replica: so what more replicas cost shows, and not how they crowd each other on few cores. */
export interface Measured {
  replicas: number
  costs: Record<Part, Calm>
}

/** Above this share of its cores answers would wait for their turn. */
export const BUSY = 0.6
/** Node uses one core; the broker uses as many as it is given, and a few large servers talk less among each other than many small ones. */
export const SERVICE_POD = { cores: 1, mb: 1_024 }
export const BROKER_POD = { cores: 8, mb: 4_096 }
/** Who publishes is seldom connected to the server that the listener is connected to: a message passes two. Measured is one server alone. */
export const BROKER_HOPS = 2
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

/** What one part of the deployment needs for a load; pods for the larger of CPU time and memory. `factor`: what many replicas cost more than one. */
export function needOf({ answersPerSecond, streamsPerSecond, openStreams }: Load, part: Part, cost: Cost, factor: Calm): Need {
  const [pod, least, hops] = part === 'nats' ? [BROKER_POD, BROKERS, BROKER_HOPS] : [SERVICE_POD, LEAST_PODS, 1]
  const forAnswers = answersPerSecond * cost.answer * factor.answer
  const forStreams = (streamsPerSecond * cost.stream + openStreams * cost.openSecond) * factor.stream
  const cores = ((forAnswers + forStreams) * hops) / 1e6
  const loadMb = openStreams * cost.openMb
  const forCores = Math.ceil(cores / (pod.cores * BUSY))
  const forMemory = Math.ceil(loadMb / (pod.mb * BUSY - cost.idleMb))
  const pods = Math.max(least, forCores, forMemory)
  return { cores, gb: (loadMb + pods * cost.idleMb) / 1024, pods }
}

/** CPU time of everything together for one of them: at the most replicas over that at the fewest. */
export function growth(measured: Measured[], what: keyof Calm): number {
  const total = ({ costs }: Measured) => parts.reduce((sum, part) => sum + costs[part][what], 0)
  const sorted = measured.toSorted((a, b) => a.replicas - b.replicas)
  const [first] = sorted
  const last = sorted.at(-1)
  return first && last ? total(last) / total(first) : Number.NaN
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
