// Speech, transcription and pictures: small and valid, made from what was asked.

import { FreewayError } from '#contracts/failure.ts'
import { writeSse } from '#contracts/wire/sse.ts'
import { deliver, type Line } from './deliver.ts'
import type { Form } from './form.ts'
import { makePicture } from './picture.ts'
import { sendBody, sendJson } from './respond.ts'
import { makeSound, type SoundFormat, soundTypes, wavSeconds } from './sound.ts'

const text = { 'content-type': 'text/plain; charset=utf-8' }
const sse = { 'content-type': 'text/event-stream; charset=utf-8' }

/** POST /v1/audio/speech. About a second of sound for twelve characters of input; with `stream_format: sse` as events. */
export async function speech(line: Line, { fields }: Form): Promise<void> {
  const input = need(fields, 'input')
  const format = String(fields['response_format'] ?? 'mp3')
  if (!Object.hasOwn(soundTypes, format))
    throw invalid(`response_format: expected one of ${Object.keys(soundTypes).join(', ')}`, 'response_format')
  const sound = makeSound(format as SoundFormat, Math.min(30, Math.max(0.5, input.length / 12)))
  const parts = Array.from({ length: Math.ceil(sound.length / 4096) }, (_, i) => sound.subarray(i * 4096, (i + 1) * 4096))
  if (fields['stream_format'] !== 'sse') {
    return deliver(line, { status: 200, headers: { 'content-type': soundTypes[format as SoundFormat] }, parts, count: parts.length })
  }
  const tokens = {
    input_tokens: Math.ceil(input.length / 4),
    output_tokens: parts.length,
    total_tokens: Math.ceil(input.length / 4) + parts.length,
  }
  const events = parts.map((part) => writeSse(JSON.stringify({ type: 'speech.audio.delta', audio: part.toString('base64') })))
  events.push(writeSse(JSON.stringify({ type: 'speech.audio.done', usage: tokens })))
  await deliver(line, { status: 200, headers: sse, parts: events, count: events.length })
}

/** POST /v1/audio/transcriptions. It cannot hear: the text tells what was received. */
export async function transcription(line: Line, { fields, files }: Form): Promise<void> {
  const file = files['file']?.[0]
  if (!file) throw invalid('missing file', 'file')
  const duration = Math.round((wavSeconds(file.bytes) ?? 2.5) * 100) / 100
  const heard = `This is freeway's demo transcription of ${file.name || 'your recording'}.`
  const usage = { type: 'duration', seconds: Math.ceil(duration) }
  if (fields['stream'] === 'true') return streamTranscription(line, heard, usage)
  switch (fields['response_format'] ?? 'json') {
    case 'text':
      return sendBody(line, `${heard}\n`, text)
    case 'srt':
      return sendBody(line, `1\n00:${clock(0, ',')} --> 00:${clock(duration, ',')}\n${heard}\n\n`, text)
    case 'vtt':
      return sendBody(line, `WEBVTT\n\n${clock(0)} --> ${clock(duration)}\n${heard}\n\n`, text)
    case 'verbose_json':
      return sendJson(line, verbose(heard, duration, usage, fields))
    default:
      return sendJson(line, { text: heard, usage })
  }
}

async function streamTranscription(line: Line, heard: string, usage: object): Promise<void> {
  const events = (heard.match(/\S+\s*/g) ?? []).map((delta) => writeSse(JSON.stringify({ type: 'transcript.text.delta', delta })))
  events.push(writeSse(JSON.stringify({ type: 'transcript.text.done', text: heard, usage })))
  await deliver(line, { status: 200, headers: sse, parts: events, count: events.length })
}

function verbose(heard: string, duration: number, usage: object, fields: Record<string, unknown>): object {
  const words = heard.split(' ')
  const share = duration / words.length
  const granularities = [fields['timestamp_granularities'] ?? []].flat()
  const numbers = { temperature: 0, avg_logprob: -0.1, compression_ratio: 1, no_speech_prob: 0 }
  return {
    task: 'transcribe',
    language: fields['language'] ?? 'english',
    duration,
    text: heard,
    segments: [{ id: 0, seek: 0, start: 0, end: duration, text: heard, tokens: [], ...numbers }],
    ...(granularities.includes('word') && { words: words.map((word, i) => ({ word, start: i * share, end: (i + 1) * share })) }),
    usage,
  }
}

/** `MM:SS.mmm`; SRT has a comma before the milliseconds. */
function clock(seconds: number, point = '.'): string {
  const minutes = Math.floor(seconds / 60)
  return `${String(minutes).padStart(2, '0')}:${(seconds - minutes * 60).toFixed(3).padStart(6, '0')}`.replace('.', point)
}

/** POST /v1/images/generations. `url` answers point back here; such a picture is made again from its address. */
export async function generateImage(line: Line, { fields }: Form): Promise<void> {
  await sendPictures(line, need(fields, 'prompt'), fields)
}

/** POST /v1/images/edits, as multipart (`image`, `image[]`) or JSON (`images`, `image`). */
export async function editImage(line: Line, { fields, files }: Form): Promise<void> {
  const prompt = need(fields, 'prompt')
  const images = files['image']?.length ?? [fields['images'] ?? fields['image'] ?? []].flat().length
  if (images === 0) throw invalid('missing image', 'image')
  await sendPictures(line, `edited: ${prompt}`, fields)
}

/** GET /sim/pictures/<size>/<prompt>.png */
export async function showPicture(line: Line, path: string): Promise<void> {
  const [size, prompt = ''] = path.split('/')
  await sendBody(line, makePicture(decodeURIComponent(prompt.replace(/\.png$/, '')), size), { 'content-type': 'image/png' })
}

async function sendPictures(line: Line, prompt: string, fields: Record<string, unknown>): Promise<void> {
  const size = typeof fields['size'] === 'string' ? fields['size'] : '256x256'
  const n = Math.min(10, Math.max(1, Number(fields['n'] ?? 1)))
  const data = Array.from({ length: n }, (_, i) => {
    const variant = i === 0 ? prompt : `${prompt} ${i}`
    if (fields['response_format'] !== 'url') return { b64_json: makePicture(variant, size).toString('base64') }
    const host = line.call.headers['host']
    return { url: `http://${host}/sim/pictures/${encodeURIComponent(size)}/${encodeURIComponent(variant.slice(0, 200))}.png` }
  })
  const tokens = Math.ceil(prompt.length / 4)
  const usage = { input_tokens: tokens, output_tokens: 100 * n, total_tokens: tokens + 100 * n }
  await sendJson(line, { created: Math.floor(Date.now() / 1000), data, output_format: 'png', size, usage })
}

function need(fields: Record<string, unknown>, name: string): string {
  const value = fields[name]
  if (typeof value !== 'string' || value === '') throw invalid(`missing ${name}`, name)
  return value
}

function invalid(message: string, param: string): FreewayError {
  return new FreewayError('invalid_request_error', message, { param })
}
