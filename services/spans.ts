// Every span of freeway: its name, its kind, and what it tells, in the words of OpenTelemetry's conventions for messaging and for
// generative AI where they have one, and under `freeway.` where not. Never a prompt, an answer or a key.
//
//   SERVER   POST /v1/chat/completions               ingress: the whole request; red only if its client got an error
//   PRODUCER publish fw.v1.job                       ingress: one for each try to find a provider, side by side
//   CONSUMER  process fw.v1.job                      router: until there is a place, or none
//   INTERNAL   wait for quota                        router: if every window of quota was used up
//   PRODUCER   publish fw.v1.work.{provider}         router
//   CONSUMER    process fw.v1.work.{provider}        worker: from the offer until its owner has all of it
//   CLIENT       chat <model>                        worker: the call; red if it failed
//   INTERNAL  attempt lost                           ingress: a worker is gone, and its spans with it
//   INTERNAL stream response                         ingress: from the first byte to the last

import type { Offer, Submit, Target } from '#contracts/attempt.ts'
import type { Usage } from '#contracts/settlement.ts'
import type { Subject } from '#contracts/subjects.ts'
import { eventConsumer, eventTemplate, jobQueue, jobs, work, workQueue, workTemplate } from '#contracts/subjects.ts'
import { operationOf, providerNameOf } from './genai.ts'
import { messagingSystem, type Span, startSpan, type TraceContext } from './trace/trace.ts'

/** Names of providers and models in an attribute; more would make spans heavy. */
const MAX_NAMES = 8

type Attributes = Record<string, string | number | boolean | string[]>

// Ingress -----------------------------------------------------------------------------------------

export interface RequestSpan {
  /** The path as the table of routes has it. */
  route: string
  id: string
  /** What the client calls it. */
  publicId: string
  receivedMs: number
  /** Where the client is traced itself. */
  parent: TraceContext | undefined
  /** Who may ask for it has asked for a trace. */
  forced: boolean
}

export function requestSpan({ route, id, publicId, receivedMs, parent, forced }: RequestSpan): Span {
  const attributes: Attributes = { 'http.request.method': 'POST', 'http.route': route, 'freeway.request_id': id }
  if (publicId !== id) attributes['freeway.client_request_id'] = publicId
  // So that a collector which chooses by itself can keep it.
  if (forced) attributes['freeway.trace.forced'] = true
  return startSpan(`POST ${route}`, { role: 'ingress', kind: 'server', parent, startedMs: receivedMs, forced, attributes })
}

export function submitSpan(parent: TraceContext | undefined, id: string, n: number): Span {
  const attributes = () => ({ [CONVERSATION]: id, 'freeway.attempt': n })
  return startSpan(`publish ${jobs}`, { role: 'ingress', kind: 'producer', parent, fixed: () => ofJobs('publish'), attributes })
}

/** Of an attempt whose worker will not tell: it was killed, frozen or cut off. */
export function lostSpan(parent: TraceContext | undefined, n: number, { prov, model }: Target, grantedMs: number): Span {
  const attributes = { 'freeway.attempt': n, 'freeway.provider': prov, 'gen_ai.request.model': model }
  return startSpan('attempt lost', { role: 'ingress', kind: 'internal', parent, startedMs: grantedMs, attributes })
}

export function deliverySpan(parent: TraceContext | undefined, startedMs: number): Span {
  return startSpan('stream response', { role: 'ingress', kind: 'internal', parent, startedMs })
}

/** `frames`: how many were handed on, of `bytes` in all. */
export function delivered(frames: number, bytes: number, clientAborted: boolean): Attributes {
  return { 'freeway.chunks': frames, 'freeway.bytes': bytes, 'freeway.client_aborted': clientAborted }
}

// Router ------------------------------------------------------------------------------------------

export function routeSpan({ id, n, trace, exclude, avoid }: Pick<Submit, 'id' | 'n' | 'trace' | 'exclude' | 'avoid'>): Span {
  const attributes = () => ({
    [CONVERSATION]: id,
    'messaging.consumer.group.name': jobQueue,
    'freeway.attempt': n,
    ...(exclude.length > 0 && { 'freeway.excluded': exclude.slice(0, MAX_NAMES) }),
    ...(avoid.length > 0 && { 'freeway.avoided': avoid.slice(0, MAX_NAMES) }),
  })
  return startSpan(`process ${jobs}`, {
    role: 'router',
    kind: 'consumer',
    parent: trace,
    fixed: () => messaging('process', jobs),
    attributes,
  })
}

export interface Choice {
  /** `auto` may have found out what the prompt asks for. */
  reason: string
  strategy: string
  /** Best first. */
  order: readonly { target: Target }[]
}

export function decided({ reason, strategy, order }: Choice): Attributes {
  const attributes: Attributes = {
    'freeway.reason': reason,
    'freeway.strategy': strategy,
    'freeway.candidates': order.slice(0, MAX_NAMES).map(({ target: { prov, model } }) => `${prov}/${model}`),
    'freeway.candidate_count': order.length,
  }
  if (strategy === 'auto' && reason !== 'auto' && reason !== 'named') attributes['freeway.intent'] = reason
  return attributes
}

export function quotaSpan(parent: TraceContext | undefined, reason: string, opensInMs: number): Span {
  const attributes = { 'freeway.reason': reason, 'freeway.opens_in_ms': Math.round(opensInMs) }
  return startSpan('wait for quota', { role: 'router', kind: 'internal', parent, attributes })
}

export function offerSpan(parent: TraceContext | undefined, id: string, provider: string): Span {
  const fixed = () => ofWork('publish', provider)
  return startSpan(`publish ${workTemplate}`, {
    role: 'router',
    kind: 'producer',
    parent,
    fixed,
    attributes: () => ({ [CONVERSATION]: id }),
  })
}

// Worker ------------------------------------------------------------------------------------------

export function workSpan({ id, n, prov, account, trace }: Pick<Offer, 'id' | 'n' | 'prov' | 'account' | 'trace'>): Span {
  const attributes = () => ({
    [CONVERSATION]: id,
    'messaging.consumer.group.name': workQueue,
    'freeway.attempt': n,
    'freeway.provider': prov,
    'freeway.account': account,
    // By the clocks of two machines, maybe.
    ...(trace?.sent_at !== undefined && { 'freeway.queue_ms': Math.max(0, Date.now() - trace.sent_at) }),
  })
  const fixed = () => ofWork('process', prov)
  return startSpan(`process ${workTemplate}`, { role: 'worker', kind: 'consumer', parent: trace, fixed, attributes })
}

export function callSpan(
  parent: TraceContext | undefined,
  { kind, prov, model, stream }: Pick<Offer, 'kind' | 'prov' | 'model' | 'stream'>,
  baseUrl: string,
): Span {
  const operation = operationOf(kind)
  const fixed = () => known(`${operation} ${prov} ${stream} ${baseUrl} ${model}`, () => callOf(operation, prov, model, stream, baseUrl))
  return startSpan(`${operation} ${model}`, { role: 'worker', kind: 'client', parent, fixed })
}

function callOf(operation: string, prov: string, model: string, stream: boolean, baseUrl: string): Attributes {
  const { protocol, hostname, port } = new URL(baseUrl)
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': providerNameOf(prov),
    'gen_ai.request.model': model,
    'gen_ai.request.stream': stream,
    'server.address': hostname,
    'server.port': Number(port) || (DEFAULT_PORTS[protocol] ?? 0),
  }
}

export interface Answered {
  finish: string
  usage: Usage
  upstreamId: string | undefined
}

/** `firstTokenMs`: from the request written to the first meaningful event; null if there was none. */
export function answered({ finish, usage, upstreamId }: Answered, firstTokenMs: number | null): Attributes {
  return {
    'gen_ai.response.finish_reasons': [finish],
    'gen_ai.usage.input_tokens': usage.in,
    'gen_ai.usage.output_tokens': usage.out,
    ...(usage.cached !== undefined && { 'gen_ai.usage.cache_read.input_tokens': usage.cached }),
    ...(usage.reasoning !== undefined && { 'gen_ai.usage.reasoning.output_tokens': usage.reasoning }),
    ...(upstreamId !== undefined && { 'gen_ai.response.id': upstreamId }),
    ...(firstTokenMs !== null && { 'gen_ai.response.time_to_first_chunk': firstTokenMs / 1000 }),
  }
}

// Telemetry ---------------------------------------------------------------------------------------

/** A batch that is stored has many requests: it is linked to them instead of being part of one. */
export function saveSpan(requests: readonly TraceContext[], messages: number, facts: number, store: string): Span {
  const attributes = {
    'messaging.system': messagingSystem() ?? '',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.template': eventTemplate,
    'messaging.consumer.group.name': eventConsumer,
    'messaging.batch.message_count': messages,
    'freeway.facts': facts,
    'freeway.store': store,
  }
  return startSpan(`process ${eventTemplate}`, { role: 'telemetry', kind: 'consumer', links: requests, forced: true, attributes })
}

const CONVERSATION = 'messaging.message.conversation_id'

function ofJobs(operation: 'publish' | 'process'): Attributes {
  return known(`${messagingSystem()} ${operation}`, () => messaging(operation, jobs))
}

function ofWork(operation: 'publish' | 'process', provider: string): Attributes {
  return known(`${messagingSystem()} ${operation} ${provider}`, () => messaging(operation, work(provider), workTemplate))
}

/** `template`: what the destination is called where its own name would be one of many. */
function messaging(operation: 'publish' | 'process', destination: Subject, template?: string): Attributes {
  return {
    'messaging.system': messagingSystem() ?? '',
    'messaging.operation.name': operation,
    'messaging.operation.type': operation === 'publish' ? 'send' : 'process',
    'messaging.destination.name': destination,
    ...(template !== undefined && { 'messaging.destination.template': template }),
  }
}

const DEFAULT_PORTS: Record<string, number> = { 'http:': 80, 'https:': 443 }
/** There are as many as providers and their models. */
const MAX_KNOWN = 2_000
const found = new Map<string, Attributes>()

function known(key: string, find: () => Attributes): Attributes {
  const before = found.get(key)
  if (before) return before
  if (found.size >= MAX_KNOWN) found.clear()
  const attributes = find()
  found.set(key, attributes)
  return attributes
}
