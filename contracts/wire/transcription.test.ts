import { describe, expect, it } from 'vitest'
import { readMediaBody } from '../media.ts'
import { writeForm } from './multipart.ts'
import { soundSeconds, soundType } from './sound.ts'
import {
  MAX_FILE_BYTES,
  readReply,
  readRequest,
  type Transcription,
  type TranscriptionFormat,
  writeEvents,
  writeReply,
} from './transcription.ts'

const type = 'multipart/form-data; boundary=x'
const mp3 = new Uint8Array([0x49, 0x44, 0x33, 4, 0, 0])
const ask = (fields: Record<string, unknown>, bytes: Uint8Array = mp3, name = 'a.mp3') =>
  readRequest(writeForm(fields, [{ field: 'file', name, type: 'application/octet-stream', bytes }], 'x'), type)

describe('a request', () => {
  it('is a job for whoever listens, if it names nobody or the name that clients have to send', () => {
    expect(ask({}).job.model).toBeUndefined()
    expect(ask({ model: 'whisper-1' }).job.model).toBeUndefined()
    expect(ask({ model: 'groq/whisper-large-v3' }).job.model).toBe('groq/whisper-large-v3')
  })

  it('carries what was asked and the file, and not what is for freeway alone', () => {
    const fields = {
      model: 'm',
      language: 'en',
      temperature: '0.5',
      'timestamp_granularities[]': ['word'],
      stream: 'false',
      strategy: 'fast',
      fallback: 'false',
      prompt: '',
    }
    const { job, words, format } = ask({ ...fields, response_format: 'verbose_json' })
    expect(job).toMatchObject({ kind: 'transcription', stream: false, model: 'm', strategy: 'fast', fallback: false })
    expect({ words, format }).toEqual({ words: true, format: 'verbose_json' })
    const body = readMediaBody(job.body)
    expect({ ...body, files: body.files.map((one) => ({ ...one, bytes: [...one.bytes] })) }).toEqual({
      fields: { language: 'en', temperature: 0.5, timestamp_granularities: ['word'], response_format: 'verbose_json' },
      files: [{ field: 'file', name: 'a.mp3', type: 'audio/mpeg', bytes: [...mp3] }],
    })
  })

  it.each([
    [{ language: '../x' }, 'language'],
    [{ temperature: '2' }, 'temperature'],
    [{ temperature: 'warm' }, 'temperature'],
    [{ 'timestamp_granularities[]': ['letter'] }, 'timestamp_granularities'],
    [{ response_format: 'diarized_json' }, 'response_format'],
    [{ fallback: 'perhaps' }, 'fallback'],
  ])('is refused with %j', (fields, message) => {
    expect(() => ask(fields)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(message) }))
  })

  it('is refused with a file that is empty, too large, or no sound', () => {
    expect(() => ask({}, new Uint8Array(0))).toThrow(expect.objectContaining({ status: 400, message: 'missing file' }))
    expect(() => ask({}, new Uint8Array(MAX_FILE_BYTES + 1))).toThrow(expect.objectContaining({ status: 413 }))
    expect(() => ask({}, new Uint8Array(9), 'a.exe')).toThrow(expect.objectContaining({ status: 400 }))
  })
})

describe('a sound', () => {
  const bytes = (text: string) => Uint8Array.from([...text].map((letter) => letter.charCodeAt(0)))
  it.each([
    ['RIFF\0\0\0\0WAVE', '', '', 'audio/wav'],
    ['OggS', '', '', 'audio/ogg'],
    ['fLaC', '', '', 'audio/flac'],
    ['ID3', '', '', 'audio/mpeg'],
    ['\xff\xfb', '', '', 'audio/mpeg'],
    ['\xff\xf1', '', '', 'audio/aac'],
    ['\0\0\0\x20ftypM4A ', '', '', 'audio/mp4'],
    ['\x1a\x45\xdf\xa3', '', '', 'audio/webm'],
    ['?', 'A.M4A', '', 'audio/mp4'],
    ['?', 'blob', 'audio/x-wav', 'audio/wav'],
    ['?', 'blob', 'text/plain', undefined],
    ['OggS', 'a.mp3', 'audio/mpeg', 'audio/ogg'],
  ])('%j named %j of type %j is %s', (start, name, told, expected) => {
    expect(soundType({ bytes: bytes(start), name, type: told })).toBe(expected)
  })

  it('is as long as its head says, else as speech usually is', () => {
    const wav = new Uint8Array(44 + 32_000)
    new DataView(wav.buffer).setUint32(28, 16_000, true)
    expect(soundSeconds({ type: 'audio/wav', bytes: wav })).toBe(3)
    new DataView(wav.buffer).setUint32(28, 1, true)
    expect(soundSeconds({ type: 'audio/wav', bytes: wav })).toBe(5)
    expect(soundSeconds({ type: 'audio/mpeg', bytes: new Uint8Array(80_000) })).toBe(10)
    expect(soundSeconds({ type: 'audio/mpeg', bytes: new Uint8Array(1) })).toBe(1)
  })
})

describe('an answer', () => {
  const by = { provider: 'groq', model: 'w', latency_ms: 12, fallback_position: 1 }
  const segments = [
    { start: 0, end: 2.5, text: ' One.' },
    { start: 2.5, end: 3661.0005, text: ' Two.' },
  ]
  const heard: Transcription = { text: 'One. Two.', language: 'en', duration: 3661.2, segments }
  const say = (what: Transcription, format: TranscriptionFormat) => writeReply(what, format, false, 7, by)

  it.each<[TranscriptionFormat, Transcription, string]>([
    ['text', heard, 'One. Two.\n'],
    ['srt', heard, '1\n00:00:00,000 --> 00:00:02,500\nOne.\n\n2\n00:00:02,500 --> 01:01:01,001\nTwo.\n\n'],
    ['vtt', heard, 'WEBVTT\n\n00:00.000 --> 00:02.500\nOne.\n\n00:02.500 --> 01:01:01.001\nTwo.\n\n'],
    ['srt', { text: 'Hi' }, '1\n00:00:00,000 --> 00:00:07,000\nHi\n\n'],
    ['vtt', { text: '' }, 'WEBVTT\n\n'],
    ['json', { text: 'Hi' }, JSON.stringify({ text: 'Hi', usage: { type: 'duration', seconds: 7 }, ...by })],
  ])('as %s', (format, what, expected) => expect(say(what, format)).toBe(expected))

  it('as verbose_json has all that clients look for, segments too where the provider gives none', () => {
    const numbers = { seek: 0, tokens: [], temperature: 0, avg_logprob: 0, compression_ratio: 1, no_speech_prob: 0 }
    expect(JSON.parse(say({ text: 'Hi' }, 'verbose_json'))).toEqual({
      task: 'transcribe',
      language: 'unknown',
      duration: 7,
      text: 'Hi',
      segments: [{ id: 0, start: 0, end: 7, text: 'Hi', ...numbers }],
      usage: { type: 'duration', seconds: 7 },
      ...by,
    })
  })

  it('as events says the text in pieces that are the whole', () => {
    expect(writeEvents({ ...heard, text: ' One. Two.' }, 7)).toEqual([
      { type: 'transcript.text.delta', delta: ' One.' },
      { type: 'transcript.text.delta', delta: ' Two.' },
      { type: 'transcript.text.done', text: ' One. Two.', usage: { type: 'duration', seconds: 3662 } },
    ])
    expect(writeEvents(heard, 7)[0]).toEqual({ type: 'transcript.text.delta', delta: 'One. Two.' })
  })

  it('is read from whatever a provider adds or leaves out', () => {
    expect(readReply({ text: 'Hi', duration: '2.5', segments: null, x_groq: { id: '1' } })).toMatchObject({ text: 'Hi', duration: 2.5 })
    expect(readReply({ error: 'no' })).toBeUndefined()
  })
})
