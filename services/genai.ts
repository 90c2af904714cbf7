// Pure. Names of OpenTelemetry's conventions for generative AI, for spans and measurements alike.
// Source: open-telemetry/semantic-conventions-genai, "Development" as of 2026.

import { virtualModelOf } from '#contracts/catalog.ts'
import type { JobKind } from '#contracts/job.ts'

const operations: Record<JobKind, string> = {
  chat: 'chat',
  embedding: 'embeddings',
  speech: 'text_to_speech',
  transcription: 'transcription',
  image: 'image_generation',
}

export function operationOf(kind: JobKind): string {
  return operations[kind]
}

/** Well-known values of `gen_ai.provider.name`; every other provider goes by our own word for it. */
const wellKnown: ReadonlyMap<string, string> = new Map([
  ['gemini', 'gcp.gemini'],
  ['mistral', 'mistral_ai'],
  ['xai', 'x_ai'],
])

export function providerNameOf(provider: string): string {
  return wellKnown.get(provider) ?? provider
}

/** What the client asked for as a label with few values: `auto` and its like, or the name that the provider answered to. */
export function requestedModelOf(asked: string | null | undefined, answered: string): string {
  if (asked === undefined || asked === null) return 'auto'
  return virtualModelOf(asked) ?? answered
}
