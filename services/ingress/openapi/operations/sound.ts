// Speech and transcriptions.

import { z } from 'zod'
import { EVENTS_TYPE, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'
import { choice, ofChoice } from './media.ts'

const tag = 'Media'
const file = z.file()
const speech = taken(
  'SpeechRequest',
  z.looseObject({
    ...choice,
    input: z.string().max(4096),
    voice: z.union([z.string(), z.looseObject({ id: z.string() })]).nullish(),
    instructions: z.string().nullish(),
    response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).nullish(),
    speed: z.number().min(0.25).max(4).nullish(),
    stream_format: z.enum(['sse', 'audio']).nullish(),
  }),
  { ...ofChoice, stream_format: '`sse`: the sound as events, in base64.' },
)
const transcription = taken(
  'TranscriptionRequest',
  z.looseObject({
    file,
    model: z.string().optional(),
    language: z.string().optional(),
    prompt: z.string().optional(),
    response_format: z.enum(['json', 'text', 'srt', 'vtt', 'verbose_json']).optional(),
    temperature: z.number().min(0).max(1).optional(),
    'timestamp_granularities[]': z.array(z.enum(['word', 'segment'])).optional(),
    stream: z.enum(['true', 'false']).optional(),
  }),
  {
    file: 'mp3, wav, ogg, flac, webm, m4a or aac; up to 25 MB.',
    model: 'Without it, or as `whisper-1`: whoever can do it.',
    language: 'As ISO 639-1 has it, e.g. `en`.',
    response_format: 'Default `json`.',
  },
)
const transcript = given(
  'Transcript',
  z.looseObject({
    text: z.string(),
    provider: z.string().optional(),
    model: z.string().optional(),
    latency_ms: z.number().optional(),
    fallback_position: z.int().optional().describe('1: the first provider that was tried.'),
    language: z.string().optional(),
    duration: z.number().optional(),
    segments: z.array(z.looseObject({ start: z.number(), end: z.number(), text: z.string() })).optional(),
    words: z.array(z.looseObject({ word: z.string(), start: z.number(), end: z.number() })).optional(),
  }),
)
const soundTypes = ['audio/mpeg', 'audio/ogg', 'audio/aac', 'audio/flac', 'audio/wav', 'audio/pcm']

export const soundOperations: Operation[] = [
  {
    method: 'POST',
    path: '/v1/audio/speech',
    id: 'createSpeech',
    tag,
    summary: 'Speak a text',
    inference: true,
    body: { content: json(speech, { input: 'Hello!', voice: 'alloy' }) },
    answers: {
      200: {
        about: 'The sound as it comes; as events if `stream_format` is `sse`.',
        content: {
          ...Object.fromEntries(soundTypes.map((type) => [type, { schema: file }])),
          [EVENTS_TYPE]: { schema: z.looseObject({ type: z.string().describe('`speech.audio.delta` or `speech.audio.done`.') }) },
        },
      },
    },
  },
  {
    method: 'POST',
    path: '/v1/audio/transcriptions',
    id: 'createTranscription',
    tag,
    summary: 'Write down what is said',
    description: 'A file over 20 MB goes only to providers that take it.',
    inference: true,
    body: { content: { 'multipart/form-data': { schema: transcription } } },
    answers: {
      200: {
        about: 'The text, in the form that `response_format` names, or as events.',
        content: {
          ...json(transcript, { text: 'Hello!', provider: 'groq', model: 'whisper-large-v3', latency_ms: 420, fallback_position: 1 }),
          'text/plain': { schema: z.string() },
          [EVENTS_TYPE]: { schema: z.looseObject({ type: z.string().describe('`transcript.text.delta` or `transcript.text.done`.') }) },
        },
      },
    },
  },
]
