// How one kind of media is asked of a provider, and its answer read: a style is code, what providers of a style do differently is data.

import type { Model } from '#contracts/catalog.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { JobKind } from '#contracts/job.ts'
import type { MediaBody, MediaRoute } from '#contracts/media.ts'
import type { Usage } from '#contracts/settlement.ts'
import type { UpstreamRequest } from './upstream.ts'

export interface MediaAsk extends MediaBody {
  kind: JobKind
  model: string
  /** What the catalogue knows of it. */
  facts: Pick<Model, 'voices'> | undefined
  route: MediaRoute
  /** The provider's key, for those that want it in a header of their own. */
  key: string | undefined
  /** Unlikely to occur in a file. */
  boundary: string
}

export interface MediaRequest {
  method?: 'GET' | 'POST'
  /** Below the provider's address, where its route does not say another. */
  path: string
  /** Of an address that ends with one. */
  query?: string
  /** Undefined takes a header away. */
  headers: Record<string, string | undefined>
  body: UpstreamRequest['body']
}

export interface MediaReply {
  /** What the ingress reads: for sound the sound itself, for all else OpenAI's JSON. */
  body: Uint8Array | object
  /** Of a body that is bytes. */
  type?: string
  usage: Partial<Usage>
}

export interface Style {
  /** The answer is sound as it comes: handed on unread. */
  streams?: true
  /** Throws FreewayError for what this provider cannot do. */
  write(ask: MediaAsk): MediaRequest
  /** Undefined if it is no such answer. `json` is undefined if the answer is none. */
  read(answer: { type: string; bytes: Uint8Array; json: unknown }, ask: MediaAsk): MediaReply | undefined
}

/** Another provider may be able to. */
export function unsupported(what: string): FreewayError {
  return new FreewayError('invalid_request_error', `unsupported media operation: ${what}`)
}

/** The fields as this provider takes them. */
export function changed(
  fields: Record<string, unknown>,
  { drop, rename, default: defaults, force, required }: MediaRoute,
): Record<string, unknown> {
  const out: Record<string, unknown> = { ...defaults }
  for (const [name, value] of Object.entries(fields)) {
    if (value !== null && value !== undefined && !drop.includes(name)) out[rename[name] ?? name] = value
  }
  Object.assign(out, force)
  const lacking = required.find((name) => out[name] === undefined)
  if (lacking !== undefined) throw unsupported(`${lacking} is required`)
  return out
}

export const JSON_HEADERS = { 'content-type': 'application/json' }

export function jsonRequest(path: string, fields: object): MediaRequest {
  return { path, headers: JSON_HEADERS, body: JSON.stringify(fields) }
}

/** For those that make one picture at a time: fewer than were asked for would not be noticed. */
export function oneOnly({ n }: Record<string, unknown>): void {
  if (typeof n === 'number' && n > 1) throw unsupported('more than one picture at a time')
}

/** The file of a field that must be there, within what the provider takes. */
export function fileOf({ files, route }: MediaAsk, field: string): MediaBody['files'][number] {
  const file = files.find((one) => one.field === field)
  if (!file) throw new Error(`a job without ${field}`)
  if (route.max_bytes !== undefined && file.bytes.length > route.max_bytes) throw unsupported(`files over ${route.max_bytes} bytes`)
  if (route.mime && !route.mime.includes(file.type)) throw unsupported(`files of ${file.type}`)
  return file
}

/** The voice by a name that is known there: names mean nothing elsewhere, and any voice says the text. */
export function voiceOf({ fields, facts, route, model }: MediaAsk): string | undefined {
  const asked = typeof fields.voice === 'string' ? fields.voice : undefined
  const known = facts?.voices
  const voice = asked === undefined || (known && !known.includes(asked)) ? (route.default_voice ?? known?.[0] ?? asked) : asked
  return voice !== undefined && route.voice ? route.voice.replace('{model}', () => model).replace('{voice}', () => voice) : voice
}

/** Undefined: whatever the provider usually gives. */
export function soundFormatOf({ fields, route }: MediaAsk): string | undefined {
  const asked = typeof fields.response_format === 'string' ? fields.response_format : undefined
  if (asked !== undefined && route.formats && !route.formats.includes(asked)) throw unsupported(`sound as ${asked}`)
  return asked ?? route.formats?.[0]
}
