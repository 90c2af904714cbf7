// Pictures, both ways: https://platform.openai.com/docs/api-reference/images. Pure.
// Edits come in three bodies - a form, `images` as JSON, and one data URL as `image` - and are one list of files in the job.

import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { FreewayError } from '../failure.ts'
import type { Job } from '../job.ts'
import type { MediaFile } from '../media.ts'
import { parseBody } from './chat-completions/request.ts'
import { checked, mediaJob, missing, tokensOf } from './media-job.ts'
import { readForm } from './multipart.ts'

/** Numbers of a form are texts. */
const count = z
  .union([
    z.int(),
    z
      .string()
      .regex(/^\d{1,3}$/)
      .transform(Number),
  ])
  .pipe(z.int().min(1).max(10))

const request = z.looseObject({
  prompt: z.string().min(1).max(32_000),
  n: count.nullish(),
  size: z.string().max(20).nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
})

/** What the events of a stream are called. */
export type ImageEvents = 'image_generation' | 'image_edit'

export interface ImageRequest {
  job: Job
  /** The client wants events. */
  events: ImageEvents | undefined
  /** Undefined: either will do. */
  responseFormat: 'url' | 'b64_json' | undefined
}

/** Throws FreewayError `invalid_request_error`. */
export function readGeneration(bytes: Uint8Array): ImageRequest {
  return imageRequest(parseBody(bytes).fields)
}

/** Throws FreewayError `invalid_request_error`. `contentType`: of the body. */
export function readEdit(bytes: Uint8Array, contentType: string): ImageRequest {
  if (!/^multipart\/form-data/i.test(contentType)) return readJsonEdit(parseBody(bytes).fields)
  const { fields, files } = readForm(bytes, contentType)
  const named = files.map((file) => ({ ...file, field: file.field.replace(/\[\]$/, ''), type: typeOfFile(file) }))
  return imageRequest(Object.fromEntries(fields), named)
}

function readJsonEdit(fields: Record<string, unknown>): ImageRequest {
  const { image, images, mask, ...rest } = fields
  const pictures = [image ?? [], images ?? []].flat()
  const files = pictures.map((one, i) => pictureOf(one, 'image', images === undefined ? 'image' : `images[${i}]`))
  return imageRequest(rest, mask === undefined || mask === null ? files : [...files, pictureOf(mask, 'mask', 'mask')])
}

function imageRequest(fields: Record<string, unknown>, files?: MediaFile[]): ImageRequest {
  if (typeof fields.prompt !== 'string' || fields.prompt === '') throw missing('prompt')
  const { prompt, n, response_format } = checked(request, fields)
  if (files && !files.some(({ field }) => field === 'image')) throw missing('image')
  const { stream, partial_images: _, ...rest } = fields
  return {
    job: mediaJob({
      kind: 'image',
      stream: false,
      fields: n ? { ...rest, n } : rest,
      estimate: { in: tokensOf(prompt), out: 0, images: n ?? 1 },
      ...(files && { files, also: ['image_edit'] }),
    }),
    responseFormat: response_format ?? undefined,
    events: stream === true || stream === 'true' ? (files ? 'image_edit' : 'image_generation') : undefined,
  }
}

/** A data URL, bare or as `image_url`. Nothing is fetched for a client. */
function pictureOf(value: unknown, field: string, param: string): MediaFile {
  const text = typeof value === 'string' ? value : (value as { image_url?: unknown } | null)?.image_url
  const [, type, data] = (typeof text === 'string' && /^data:(image\/[a-z0-9.+-]+);base64,([A-Za-z0-9+/=_-]+)$/.exec(text)) || []
  if (type === undefined || data === undefined) {
    throw new FreewayError('invalid_request_error', `${param}: expected a data URL, e.g. data:image/png;base64,...`, { param })
  }
  return { field, name: `${field}.${type.slice('image/'.length)}`, type, bytes: Buffer.from(data, 'base64') }
}

const picture = z.looseObject({
  b64_json: z.string().min(1).nullish(),
  url: z.string().min(1).nullish(),
  revised_prompt: z.string().nullish(),
})
const reply = z.looseObject({
  created: z.int().optional().catch(undefined),
  data: z.array(picture.refine(({ b64_json, url }) => Boolean(b64_json || url))).min(1),
  // Some count in other units: a picture is a picture all the same.
  usage: z
    .looseObject({ input_tokens: z.int().min(0), output_tokens: z.int().min(0) })
    .nullish()
    .catch(undefined),
})
export type ImageReply = z.infer<typeof reply>

/** Undefined if there is no picture in it. */
export function readReply(json: unknown): ImageReply | undefined {
  return reply.safeParse(json).data
}

/** As the client wants it, where that needs no fetching: bytes may be told as an address, an address not as bytes. */
export function writeReply({ created, data, ...rest }: ImageReply, now: number, wanted: 'url' | 'b64_json' | undefined): object {
  return {
    created: created ?? now,
    data: data.map((one) => writePicture(one, wanted)),
    ...rest,
  }
}

/** As events: one for each picture, for nothing is known of any before all are there. */
export function writeEvents(
  { created, data, usage, size = 'auto', quality = 'auto', background = 'auto', output_format }: ImageReply,
  now: number,
  wanted: 'url' | 'b64_json' | undefined,
  events: ImageEvents,
): object[] {
  return data.map((one, at) => ({
    type: `${events}.completed`,
    ...writePicture(one, wanted),
    created_at: created ?? now,
    size,
    quality,
    background,
    output_format: output_format ?? typeOf(one.b64_json ?? '').slice('image/'.length),
    ...(usage && at === data.length - 1 && { usage }),
  }))
}

function writePicture({ b64_json, url, revised_prompt }: z.infer<typeof picture>, wanted: 'url' | 'b64_json' | undefined): object {
  return {
    ...(b64_json && wanted !== 'url' ? { b64_json } : { url: url || `data:${typeOf(b64_json as string)};base64,${b64_json}` }),
    ...(revised_prompt && { revised_prompt }),
  }
}

/** Python's usual client does not say what a file is, and providers refuse what is of no type that they know. */
function typeOfFile({ type, bytes }: MediaFile): string {
  return type === 'application/octet-stream' ? typeOf(Buffer.from(bytes.subarray(0, 6)).toString('base64')) : type
}

/** By the first bytes of the picture. */
function typeOf(base64: string): string {
  if (base64.startsWith('/9j/')) return 'image/jpeg'
  return base64.startsWith('UklGR') ? 'image/webp' : 'image/png'
}
