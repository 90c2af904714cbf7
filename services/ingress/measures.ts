// What the ingress measures of its requests, under the names of OpenTelemetry's conventions for generative AI.

import type { Outcome } from '#contracts/failure.ts'
import type { JobKind } from '#contracts/job.ts'
import type { Usage } from '#contracts/settlement.ts'
import { operationOf, providerNameOf, requestedModelOf } from '#services/genai.ts'
import { counter, gauge, histogram } from '#services/metrics.ts'

/** Times in ms. */
export interface Measured {
  kind: JobKind
  stream: boolean
  asked: string | undefined
  /** Absent if no provider was called. */
  target: { prov: string; model: string } | undefined
  outcome: Outcome
  durationMs: number
  firstTokenMs: number | undefined
  attempts: number
  usage: Usage
}

const requests = counter('freeway.requests', { description: 'Requests that came to an end, by what they came to.' })
const attempts = counter('freeway.attempts', { description: 'Calls to providers that were granted.' })
const duration = histogram('gen_ai.server.request.duration', {
  description: 'From the request to its last byte.',
  unit: 's',
  boundaries: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
})
const firstToken = histogram('gen_ai.server.time_to_first_token', {
  description: 'From the request to the first byte of a streamed answer.',
  unit: 's',
  boundaries: [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 15, 20, 30, 45, 60],
})
const perToken = histogram('gen_ai.server.time_per_output_token', {
  description: 'Time for each token after the first one of a streamed answer.',
  unit: 's',
  boundaries: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5],
})
const tokens = histogram('gen_ai.client.token.usage', {
  description: 'Tokens of a request, of its input and of its output.',
  boundaries: [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864],
})

export function measure({ kind, stream, asked, target, outcome, durationMs, firstTokenMs, attempts: granted, usage }: Measured): void {
  const operation = operationOf(kind)
  requests.add(1, { operation, outcome, provider: target?.prov ?? 'none' })
  if (!target) return
  if (granted > 0) attempts.add(granted, { provider: target.prov })
  const labels = {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerNameOf(target.prov),
    'gen_ai.request.model': requestedModelOf(asked, target.model),
    'gen_ai.response.model': target.model,
  }
  duration.record(durationMs / 1000, outcome === 'ok' ? labels : { ...labels, 'error.type': outcome })
  if (usage.in > 0) tokens.record(usage.in, { ...labels, 'gen_ai.token.type': 'input' })
  if (usage.out > 0) tokens.record(usage.out, { ...labels, 'gen_ai.token.type': 'output' })
  if (!stream || firstTokenMs === undefined) return
  firstToken.record(firstTokenMs / 1000, labels)
  if (usage.out > 1 && outcome === 'ok') perToken.record((durationMs - firstTokenMs) / 1000 / (usage.out - 1), labels)
}

/** Returns a function that ends it. */
export function measureLoad(load: { inFlight: number; unsentBytes: number; roundTripMs: number | undefined }): () => void {
  const ends = [
    gauge('freeway.bus.round_trip', { description: 'Over the bus to a router and back.', unit: 's' }, () =>
      load.roundTripMs === undefined ? [] : [{ value: load.roundTripMs / 1000 }],
    ),
    gauge('freeway.ingress.inflight', { description: 'Requests that are being served.' }, () => [{ value: load.inFlight }]),
    gauge('freeway.ingress.unsent', { description: 'Bytes of answers that clients have not taken yet.', unit: 'By' }, () => [
      { value: load.unsentBytes },
    ]),
  ]
  return () => {
    for (const end of ends) end()
  }
}
