// Speech to text, both ways: https://platform.openai.com/docs/api-reference/audio/createTranscription. Pure.
// Between worker and ingress it is always the most that is known: text, language, duration, segments, words.

import { z } from 'zod'
import { FreewayError } from '../failure.ts'
import type { Job } from '../job.ts'
import type { MediaFile } from '../media.ts'
import { checked, mediaJob, missing } from './media-job.ts'
import { readForm } from './multipart.ts'
import { soundSeconds, soundType } from './sound.ts'

export const MAX_FILE_BYTES = 25 * 1024 * 1024

const formats = ['json', 'text', 'srt', 'vtt', 'verbose_json'] as const
export type TranscriptionFormat = (typeof formats)[number]

const request = z.looseObject({
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/, 'expected a language, e.g. en')
    .optional(),
  response_format: z.enum(formats).optional(),
  temperature: z.coerce.number().min(0).max(1).optional(),
  timestamp_granularities: z.array(z.enum(['word', 'segment'])).optional(),
})

export interface TranscriptionRequest {
  job: Job
  format: TranscriptionFormat
  /** Asked for times of single words. */
  words: boolean
  /** The client wants the text as events. */
  events: boolean
}

/** Throws FreewayError `invalid_request_error`; 413 if the file is too large. */
export function readRequest(bytes: Uint8Array, contentType: string): TranscriptionRequest {
  const form = readForm(bytes, contentType)
  const file = form.files.find(({ field }) => field === 'file')
  if (!file || file.bytes.length === 0) throw missing('file')
  if (file.bytes.length > MAX_FILE_BYTES) {
    throw new FreewayError('invalid_request_error', `file: larger than ${MAX_FILE_BYTES / 1024 / 1024} MB`, { param: 'file', status: 413 })
  }
  const fields = gather(form.fields)
  const { response_format, timestamp_granularities, temperature } = checked(request, fields)
  const { stream, include: _, chunking_strategy: __, model, ...rest } = fields
  // The form has been read, and is ours.
  const sound: MediaFile = { ...file, type: typeOf(file), spareBytes: file.bytes.byteOffset - bytes.byteOffset }
  const seconds = soundSeconds(sound)
  return {
    job: mediaJob({
      kind: 'transcription',
      stream: false,
      // Clients have to name some model; this name stands for whichever there is.
      fields: { ...rest, ...(temperature !== undefined && { temperature }), ...(model !== 'whisper-1' && { model }) },
      files: [sound],
      estimate: { in: 0, out: 0, audio_seconds: seconds },
    }),
    format: response_format ?? 'json',
    words: timestamp_granularities?.includes('word') ?? false,
    events: stream === 'true',
  }
}

/** `x[]` is a list, also with one entry; other names that repeat keep the last. */
function gather(fields: readonly [string, string][]): Record<string, unknown> {
  const gathered: Record<string, unknown> = Object.create(null)
  for (const [name, value] of fields) {
    // What a form leaves empty was not asked for.
    if (value === '') continue
    const plain = name.replace(/\[\]$/, '')
    if (plain === name && name !== 'timestamp_granularities') gathered[name] = value
    else gathered[plain] = [...((gathered[plain] as string[] | undefined) ?? []), value]
  }
  return { ...gathered }
}

/** Throws FreewayError 400 for what is no sound that anybody takes. */
function typeOf(file: MediaFile): string {
  const type = soundType(file)
  if (type !== undefined) return type
  throw new FreewayError('invalid_request_error', 'file: expected mp3, wav, ogg, flac, webm, m4a or aac', { param: 'file' })
}

const seconds = z.number().min(0)
const segment = z.looseObject({ start: seconds, end: seconds, text: z.string() })
const word = z.looseObject({ word: z.string(), start: seconds, end: seconds })

const reply = z.looseObject({
  text: z.string(),
  language: z.string().nullish(),
  duration: z
    .union([
      seconds,
      z
        .string()
        .regex(/^\d+(\.\d+)?$/)
        .transform(Number),
    ])
    .nullish(),
  segments: z.array(segment).nullish(),
  words: z.array(word).nullish(),
  usage: z.looseObject({ type: z.string().optional() }).nullish(),
})
export type Transcription = z.infer<typeof reply>

/** Undefined if there is no text in it. */
export function readReply(json: unknown): Transcription | undefined {
  return reply.safeParse(json).data
}

/** Beside the text, in json and verbose_json. */
export interface TranscribedBy {
  provider: string
  model: string
  latency_ms: number
  fallback_position: number
}

/** `estimatedSeconds` if the provider has not said how long it is. */
export function writeReply(
  heard: Transcription,
  format: TranscriptionFormat,
  words: boolean,
  estimatedSeconds: number,
  by: TranscribedBy,
): string {
  const segments = segmentsOf(heard, estimatedSeconds)
  switch (format) {
    case 'text':
      return `${heard.text}\n`
    case 'srt':
      return segments
        .map(({ start, end, text }, i) => `${i + 1}\n${clock(start, ',', true)} --> ${clock(end, ',', true)}\n${text.trim()}\n\n`)
        .join('')
    case 'vtt':
      return `WEBVTT\n\n${segments.map(({ start, end, text }) => `${clock(start)} --> ${clock(end)}\n${text.trim()}\n\n`).join('')}`
    case 'json':
      return JSON.stringify({ text: heard.text, usage: usageOf(heard, estimatedSeconds), ...by })
    case 'verbose_json':
      return JSON.stringify({
        task: 'transcribe',
        language: heard.language ?? 'unknown',
        duration: durationOf(heard, estimatedSeconds),
        text: heard.text,
        segments: segments.map((one, id) => ({ ...emptySegment, ...one, id })),
        ...(words && heard.words && { words: heard.words }),
        usage: usageOf(heard, estimatedSeconds),
        ...by,
      })
  }
}

/** As events: the text in pieces, and once more as a whole. */
export function writeEvents(heard: Transcription, estimatedSeconds: number): object[] {
  const pieces = heard.segments && heard.segments.length > 1 ? heard.segments.map(({ text }) => text) : [heard.text]
  const whole = pieces.join('') === heard.text ? pieces : [heard.text]
  return [
    ...whole.map((delta) => ({ type: 'transcript.text.delta', delta })),
    { type: 'transcript.text.done', text: heard.text, usage: usageOf(heard, estimatedSeconds) },
  ]
}

export function durationOf({ duration, segments }: Transcription, estimatedSeconds: number): number {
  return duration ?? segments?.at(-1)?.end ?? estimatedSeconds
}

/** What a segment says of itself; clients of verbose_json expect all of it. */
const emptySegment = {
  id: 0,
  seek: 0,
  start: 0,
  end: 0,
  text: '',
  tokens: [],
  temperature: 0,
  avg_logprob: 0,
  compression_ratio: 1,
  no_speech_prob: 0,
}

/** One that spans everything, where the provider gives none. */
function segmentsOf(heard: Transcription, estimatedSeconds: number): z.infer<typeof segment>[] {
  if (heard.segments && heard.segments.length > 0) return heard.segments
  return heard.text === '' ? [] : [{ start: 0, end: durationOf(heard, estimatedSeconds), text: heard.text }]
}

function usageOf(heard: Transcription, estimatedSeconds: number): object {
  return heard.usage?.type === undefined ? { type: 'duration', seconds: Math.ceil(durationOf(heard, estimatedSeconds)) } : heard.usage
}

/** `[HH:]MM:SS.mmm`; WebVTT may leave the hours out, SRT may not, and has a comma before the milliseconds. */
function clock(seconds: number, point = '.', hours = false): string {
  const ms = Math.round(seconds * 1000)
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  const rest = `${two((ms / 60_000) % 60)}:${two((ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, '0')}`
  return hours || ms >= 3_600_000 ? `${two(ms / 3_600_000)}:${rest}` : rest
}
