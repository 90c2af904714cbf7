// Pure. What clients ask: formats, streams and whole answers, several keys, and what a right answer holds.

import { createHash } from 'node:crypto'
import type { Chance } from './random.ts'

export const formats = ['chat', 'messages', 'responses'] as const
export type Format = (typeof formats)[number]

/** What each model says, at every provider: pieces that are numbered, so that a gap or a repeat shows. */
export const models = {
  quick: { chunks: 10, size: 24 },
  paced: { chunks: 30, size: 24, tps: 20 },
  long: { chunks: 100, size: 24, tps: 25 },
} as const
export type Model = keyof typeof models

export function textOf(model: Model): string {
  const { chunks, size } = models[model]
  return Array.from({ length: chunks }, (_, i) => `${i} `.padEnd(size, 'x')).join('')
}

export interface Client {
  name: string
  key: string
  /** Of all requests. */
  share: number
  rpm_limit?: number
  max_concurrency?: number
}

export const clients: Client[] = [
  { name: 'plain', key: 'fw-cluster-plain-00000000000000000', share: 0.76 },
  { name: 'minute', key: 'fw-cluster-minute-0000000000000000', share: 0.12, rpm_limit: 90 },
  { name: 'narrow', key: 'fw-cluster-narrow-0000000000000000', share: 0.12, max_concurrency: 2 },
]

/** Two whose minute is too short for the load, one whose room is too small, and one that takes the rest. */
export const providers: Record<string, { keys: string[]; rpm_limit?: number; at_once?: number; weight: number }> = {
  alpha: { keys: ['sk-alpha-1'], rpm_limit: 120, weight: 2 },
  beta: { keys: ['sk-beta-1', 'sk-beta-2'], rpm_limit: 60, weight: 2 },
  gamma: { keys: ['sk-gamma-1'], at_once: 6, weight: 1 },
  delta: { keys: ['sk-delta-1'], weight: 1 },
}

/** freeway.json */
export function configFor(portOf: (provider: string) => number, host = '127.0.0.1'): object {
  return {
    providers: Object.fromEntries(
      Object.entries(providers).map(([name, { keys, at_once, ...rest }]) => [
        name,
        {
          base_url: `http://${host}:${portOf(name)}/v1`,
          api_keys: keys,
          ...rest,
          ...(at_once !== undefined && { limits: [{ unit: 'concurrency', max: at_once }] }),
          models: Object.keys(models).map((id) => ({ id, capabilities: ['chat'], context_window: 1_000_000 })),
        },
      ]),
    ),
    clients: clients.map(({ name, key, rpm_limit, max_concurrency }) => ({
      name,
      key_hash: `sha256:${createHash('sha256').update(key).digest('hex')}`,
      ...(rpm_limit !== undefined && { rpm_limit }),
      ...(max_concurrency !== undefined && { max_concurrency }),
    })),
  }
}

export interface Wish {
  format: Format
  stream: boolean
  model: Model
  client: Client
  /** 32 hexadecimal digits in its prompt, by which the providers' calls are told apart. */
  trace: string
}

export function nextWish(chance: Chance): Wish {
  const client = pickClient(chance.next())
  const stream = chance.next() < 0.6
  const model = stream ? chance.pick(['quick', 'paced', 'paced', 'long'] as const) : chance.pick(['quick', 'quick', 'paced'] as const)
  const trace = Array.from({ length: 4 }, () => (chance.below(2 ** 32 - 1) + 1).toString(16).padStart(8, '0')).join('')
  return { format: chance.pick(formats), stream, model, client, trace }
}

/** `share`: from 0 to 1. */
function pickClient(share: number): Client {
  let left = share
  for (const client of clients) {
    left -= client.share
    if (left < 0) return client
  }
  return clients[0] as Client
}

export function requestOf({ format, stream, model, trace }: Wish): { path: string; body: object } {
  const content = `request ${trace}`
  switch (format) {
    case 'chat':
      return { path: '/v1/chat/completions', body: { model, stream, messages: [{ role: 'user', content }] } }
    case 'messages':
      return { path: '/v1/messages', body: { model, stream, max_tokens: 8_000, messages: [{ role: 'user', content }] } }
    case 'responses':
      return { path: '/v1/responses', body: { model, stream, store: false, input: content } }
  }
}
