// What is asked of every contestant. A model's name tells the upstream what to answer (see upstream.ts).

import type { ContestantName } from './figures.ts'

export interface Scenario {
  name: string
  model: string
  stream: boolean
  /** What is spoken to the gateways. */
  format: ClientFormat
  connections: number
  durationMs: number
  /**
   * The time is cut into so many turns, and all contestants take each turn one after the other: where a core's speed changes from
   * one second to the next, only neighbours can be compared. Yet a turn lasts seconds: whoever has rested is slow for the first of them.
   */
  turns: number
  /** The connections start one after the other over this time, so that paced streams do not march in step. */
  staggerMs: number
  contestants: ContestantName[]
  /** Shown in the details only: no target rests on it, so one round is enough. */
  extra: boolean
}

export type ClientFormat = 'chat' | 'messages' | 'responses'

export const models = ['c1', 'c20', 'c100', 'c20d100', 'c1d100', 'c100d10']

/** Writes down what it hears. */
export const transcriber = 'scribe'

const freeways: ContestantName[] = ['embedded', 'cluster']
const gateways: ContestantName[] = ['proxy', ...freeways]
const all: ContestantName[] = ['direct', ...gateways]

export const sequential = '1 × answer'
export const answers = '32 × answer'
export const streams = '32 × 100 chunks'
/** The same, told to clients of other formats. */
export const streamsInMessages = `${streams}, Messages`
export const streamsInResponses = `${streams}, Responses`
/**
 * Each stream brings a chunk every 100 ms, as a model would, and lasts two seconds: 150 streams begin per second.
 * Unpaced streams would keep every core busy, and the time to first token would only be the length of the queue.
 */
export const crowd = '300 × 20 chunks, paced'

export function scenarios(quick: boolean): Scenario[] {
  const load = (name: string, model: string, connections: number, durationMs: number, rest: Partial<Scenario> = {}): Scenario => ({
    name,
    model,
    stream: !name.endsWith('answer'),
    format: 'chat',
    connections,
    durationMs,
    turns: 1,
    staggerMs: 0,
    contestants: gateways,
    extra: false,
    ...rest,
  })
  const targets = [
    load(sequential, 'c1', 1, 6000, { turns: 3, contestants: all }),
    load(answers, 'c1', 32, 12_000, { turns: 4 }),
    load(streams, 'c100', 32, 8000, { turns: 4 }),
    // Neighbours in time of what they are compared with.
    load(streamsInMessages, 'c100', 32, 8000, { turns: 4, format: 'messages', contestants: freeways }),
    load(streamsInResponses, 'c100', 32, 8000, { turns: 4, format: 'responses', contestants: freeways }),
    load(crowd, 'c20d100', 300, quick ? 5000 : 6000, { staggerMs: 2000 }),
  ]
  if (quick) return targets
  const extra = { extra: true, contestants: all }
  return [
    ...targets,
    load('1 × 20 chunks', 'c20', 1, 2000, extra),
    load('1 × 100 chunks', 'c100', 1, 2000, extra),
    load('32 × 20 chunks', 'c20', 32, 3000, extra),
    load('300 × answer', 'c1', 300, 3000, extra),
    load('300 × 20 chunks', 'c20', 300, 3000, extra),
    load('300 × 100 chunks', 'c100', 300, 4000, extra),
  ]
}
