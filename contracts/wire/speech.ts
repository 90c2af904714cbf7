// Text to speech, as a client asks for it: https://platform.openai.com/docs/api-reference/audio/createSpeech. Pure.
// Between worker and ingress it is the sound itself, as it comes.

import { z } from 'zod'
import type { Job } from '../job.ts'
import { parseBody } from './chat-completions/request.ts'
import { checked, mediaJob, missing, tokensOf } from './media-job.ts'

export const MAX_INPUT_CHARACTERS = 4096

/** What each format is called on the wire. */
export const speechTypes: Record<string, string> = {
  mp3: 'audio/mpeg',
  opus: 'audio/ogg',
  aac: 'audio/aac',
  flac: 'audio/flac',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
}

const request = z.looseObject({
  input: z.string().min(1).max(MAX_INPUT_CHARACTERS),
  voice: z.union([z.string().min(1).max(200), z.looseObject({ id: z.string().min(1).max(200) })]).nullish(),
  instructions: z.string().nullish(),
  response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).nullish(),
  speed: z.number().min(0.25).max(4).nullish(),
  stream_format: z.enum(['sse', 'audio']).nullish(),
})

export interface SpeechRequest {
  job: Job
  /** The client wants the sound as events. */
  events: boolean
}

/** Throws FreewayError `invalid_request_error`. A voice is a text in the job, also where the client sent an object. */
export function readRequest(bytes: Uint8Array): SpeechRequest {
  const { fields } = parseBody(bytes)
  if (fields.input === undefined || fields.input === null || fields.input === '') throw missing('input')
  const { input, voice, stream_format } = checked(request, fields)
  const { stream_format: _, ...rest } = fields
  if (typeof voice === 'object') rest.voice = voice?.id
  return {
    job: mediaJob({ kind: 'speech', stream: true, fields: rest, estimate: { in: tokensOf(input), out: 0 } }),
    events: stream_format === 'sse',
  }
}
