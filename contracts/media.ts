// What a job other than chat carries: its fields as JSON, and the files behind them as they came. Neither base64 nor a form:
// whoever asks a provider makes of it what that provider takes.

import { z } from 'zod'
import { concat, utf8 } from './bytes.ts'

export interface MediaFile {
  /** The field of the request it came in, e.g. `file`, `image`, `mask`. */
  field: string
  name: string
  /** A media type without parameters, e.g. `audio/mpeg`. */
  type: string
  bytes: Uint8Array
  /** So many bytes that stand before it in its buffer nobody needs any more. */
  spareBytes?: number
}

export interface MediaBody {
  fields: Record<string, unknown>
  files: MediaFile[]
}

/**
 * One line of JSON; where there are files, a line feed and their bytes, one behind the other. A single file with bytes to spare
 * before it is not copied: of 25 MB that took longer than all else, and as much memory again.
 */
export function writeMediaBody({ fields, files }: MediaBody): Uint8Array {
  const described = files.map(({ field, name, type, bytes }) => ({ field, name, type, size: bytes.length }))
  const line = utf8(JSON.stringify({ fields, files: described }))
  if (files.length === 0) return line
  const head = concat([line, new Uint8Array([LINE_FEED])])
  const [only] = files
  return (only && files.length === 1 && inPlace(head, only)) || concat([head, ...files.map(({ bytes }) => bytes)])
}

function inPlace(head: Uint8Array, { bytes, spareBytes = 0 }: MediaFile): Uint8Array | undefined {
  if (head.length > spareBytes || spareBytes > bytes.byteOffset) return undefined
  const body = new Uint8Array(bytes.buffer, bytes.byteOffset - head.length, head.length + bytes.length)
  body.set(head)
  return body
}

const LINE_FEED = 0x0a
const decoder = new TextDecoder()
const head = z.object({
  fields: z.record(z.string(), z.unknown()),
  files: z.array(z.object({ field: z.string(), name: z.string(), type: z.string(), size: z.int().min(0) })),
})

/** The files are views on `bytes`. Throws if these are not what `writeMediaBody` has written. */
export function readMediaBody(bytes: Uint8Array): MediaBody {
  const feed = bytes.indexOf(LINE_FEED)
  const { fields, files } = head.parse(JSON.parse(decoder.decode(feed < 0 ? bytes : bytes.subarray(0, feed))))
  let at = feed + 1
  const read = files.map(({ size, ...file }) => {
    const from = at
    at += size
    return { ...file, bytes: bytes.subarray(from, at) }
  })
  if (at !== (feed < 0 ? 0 : bytes.length)) throw new Error('the body of the job is not as long as it says')
  return { fields, files: read }
}

/** How a kind of media is said to a provider; a style is code. */
export const mediaStyles = ['openai', 'gemini', 'cloudflare-run', 'nvidia-genai', 'siliconflow', 'get-bytes', 'chat-audio'] as const
export type MediaStyle = (typeof mediaStyles)[number]

/** An entry of a provider's `media`: where one kind of job goes there, and what is different about it. */
export const mediaRoute = z.strictObject({
  style: z.enum(mediaStyles).default('openai'),
  /** Below the provider's `base_url`. */
  path: z.string().optional(),
  /** A whole address in place of it. `{model}`, `{account_id}` and `{prompt}` are filled in. */
  url: z.string().optional(),
  /** Of the request, before it is sent: fields that go, that are called otherwise, that are set if absent, or set whatever was asked. */
  drop: z.array(z.string()).default([]),
  rename: z.record(z.string(), z.string()).default({}),
  default: z.record(z.string(), z.unknown()).default({}),
  force: z.record(z.string(), z.unknown()).default({}),
  /** Without these it refuses. */
  required: z.array(z.string()).default([]),
  /** Of a file. */
  max_bytes: z.int().min(1).optional(),
  /** Media types of the files it takes. Absent: all. */
  mime: z.array(z.string()).optional(),
  /** Formats it can answer in, the usual one first. Absent: all. */
  formats: z.array(z.string()).optional(),
  /** What names a voice, from `{voice}` and `{model}`. */
  voice: z.string().optional(),
  /** For who names no voice, or one that this provider does not know. */
  default_voice: z.string().optional(),
  /** Models that take the bytes of a file as they are. */
  raw_models: z.array(z.string()).default([]),
  /** Samples per second of sound without a header. */
  pcm_rate: z.int().min(1).default(24_000),
})
export type MediaRoute = z.infer<typeof mediaRoute>
