// Pure. A span as OTLP has it in JSON. Thousands are written a second and they repeat each other: what was written once is kept.

export type Attributes = Readonly<Record<string, unknown>>

export interface SpanEvent {
  name: string
  /** Ms since 1970. */
  atMs: number
  attributes?: Attributes | undefined
}

/** A span that has ended. */
export interface EndedSpan {
  traceId: string
  spanId: string
  /** Undefined for a root. Parents are always told of in a message. */
  parentSpanId: string | undefined
  tracestate: string | undefined
  sampled: boolean
  name: string
  /** As OTLP counts: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number
  /** Ms since 1970, with fractions. */
  startMs: number
  endMs: number
  failed: boolean
  /** One object for many spans, which never changes; undefined: there are no such attributes. */
  fixed: Attributes | undefined
  attributes: Attributes
  events: readonly SpanEvent[]
  links: readonly { traceId: string; spanId: string }[]
}

const SAMPLED = 0x01
/** Whether the parent is in another process is known, and whether it is. */
const HAS_IS_REMOTE = 0x100
const IS_REMOTE = 0x200

export function spanJson(span: EndedSpan): string {
  const { parentSpanId, tracestate, events, links } = span
  const flags = (span.sampled ? SAMPLED : 0) | HAS_IS_REMOTE | (parentSpanId === undefined ? 0 : IS_REMOTE)
  let json = `{"traceId":"${span.traceId}","spanId":"${span.spanId}","flags":${flags},`
  if (parentSpanId !== undefined) json += `"parentSpanId":"${parentSpanId}",`
  if (tracestate !== undefined) json += `"traceState":${JSON.stringify(tracestate)},`
  json += `"name":${wordJson(span.name)},"kind":${span.kind},"startTimeUnixNano":"${nanos(span.startMs)}","endTimeUnixNano":"${nanos(span.endMs)}","attributes":[`
  const own = listJson(span.attributes)
  if (span.fixed) json += own === '' ? fixedJson(span.fixed) : `${fixedJson(span.fixed)},`
  json += `${own}]`
  if (events.length > 0) json += `,"events":[${events.map(eventJson).join(',')}]`
  if (links.length > 0) json += `,"links":[${links.map(linkJson).join(',')}]`
  return json + (span.failed ? ',"status":{"code":2}}' : ',"status":{}}')
}

export function attributesJson(attributes: Attributes): string {
  return `[${listJson(attributes)}]`
}

function listJson(attributes: Attributes): string {
  let json = ''
  for (const key in attributes) {
    const value = attributes[key]
    if (value === undefined) continue
    if (json !== '') json += ','
    json += typeof value === 'string' ? textAttribute(key, value) : `${beginningOf(key)}${valueJson(value)}}`
  }
  return json
}

const written = new WeakMap<Attributes, string>()

function fixedJson(attributes: Attributes): string {
  const before = written.get(attributes)
  if (before !== undefined) return before
  const json = listJson(attributes)
  written.set(attributes, json)
  return json
}

function eventJson({ name, atMs, attributes = {} }: SpanEvent): string {
  return `{"name":${wordJson(name)},"timeUnixNano":"${nanos(atMs)}","attributes":${attributesJson(attributes)}}`
}

function linkJson({ traceId, spanId }: EndedSpan['links'][number]): string {
  return `{"traceId":"${traceId}","spanId":"${spanId}","flags":${SAMPLED},"attributes":[]}`
}

/** Most of what is told in a second is told of that second. */
let second = 0
let secondText = '0'

function nanos(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds !== second) {
    second = seconds
    secondText = String(seconds)
  }
  const rest = Math.floor((ms - seconds * 1000) * 1e6)
  return secondText + String(rest).padStart(9, '0')
}

/** What has more values than this is an id of something, which comes and goes: from then on each is written anew. */
const MAX_KNOWN = 256
const words = new Map<string, string>()
const beginnings = new Map<string, string>()
const texts = new Map<string, Map<string, string> | 'many'>()

function wordJson(word: string): string {
  return words.get(word) ?? keep(words, word, JSON.stringify(word))
}

function beginningOf(key: string): string {
  return beginnings.get(key) ?? keep(beginnings, key, `{"key":${JSON.stringify(key)},"value":`)
}

function textAttribute(key: string, value: string): string {
  const known = texts.get(key)
  const before = known instanceof Map ? known.get(value) : undefined
  if (before !== undefined) return before
  const json = `${beginningOf(key)}{"stringValue":${JSON.stringify(value)}}}`
  if (known === undefined) texts.set(key, new Map([[value, json]]))
  else if (known !== 'many' && known.size < MAX_KNOWN) known.set(value, json)
  else texts.set(key, 'many')
  return json
}

function keep(known: Map<string, string>, text: string, json: string): string {
  if (known.size < MAX_KNOWN) known.set(text, json)
  return json
}

function valueJson(value: unknown): string {
  if (typeof value === 'string') return `{"stringValue":${wordJson(value)}}`
  if (typeof value === 'boolean') return `{"boolValue":${value}}`
  if (typeof value === 'number') return Number.isSafeInteger(value) ? `{"intValue":${value}}` : `{"doubleValue":${value}}`
  return Array.isArray(value)
    ? `{"arrayValue":{"values":[${value.map(valueJson).join(',')}]}}`
    : `{"stringValue":${JSON.stringify(String(value))}}`
}
