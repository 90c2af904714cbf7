// Pure. What the span of a provider call tells, in the words of the GenAI conventions of OpenTelemetry. Never a prompt or an answer.

import type { Offer } from '#contracts/attempt.ts'
import type { AnswerEnd } from './sink.ts'

type Attributes = Record<string, string | number | boolean | string[]>

const DEFAULT_PORTS: Record<string, number> = { 'http:': 80, 'https:': 443 }

export function callAttributes({ prov, model, stream }: Pick<Offer, 'prov' | 'model' | 'stream'>, baseUrl: string): Attributes {
  const { protocol, hostname, port } = new URL(baseUrl)
  return {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': prov,
    'gen_ai.request.model': model,
    'gen_ai.request.stream': stream,
    'server.address': hostname,
    'server.port': Number(port) || (DEFAULT_PORTS[protocol] ?? 0),
  }
}

/** `ttfbMs`: time to the first token. */
export function answerAttributes({ finish, usage, upstreamId }: AnswerEnd, ttfbMs: number | null): Attributes {
  return {
    'gen_ai.response.finish_reasons': [finish],
    'gen_ai.usage.input_tokens': usage.in,
    'gen_ai.usage.output_tokens': usage.out,
    ...(usage.cached !== undefined && { 'gen_ai.usage.cache_read.input_tokens': usage.cached }),
    ...(usage.reasoning !== undefined && { 'gen_ai.usage.reasoning.output_tokens': usage.reasoning }),
    ...(upstreamId !== undefined && { 'gen_ai.response.id': upstreamId }),
    ...(ttfbMs !== null && { 'gen_ai.response.time_to_first_chunk': ttfbMs / 1000 }),
  }
}
