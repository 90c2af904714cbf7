// Pure. Workers AI by its own address: each model takes a few fields under names of its own, and answers in `result` or as bytes.
// https://developers.cloudflare.com/workers-ai/models/

import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { readReply } from '#contracts/wire/transcription.ts'
import { changed, fileOf, jsonRequest, oneOnly, type Style, unsupported } from './media-style.ts'

const PATH = '../run/{model}'

export const transcription: Style = {
  write(ask) {
    const { bytes, type } = fileOf(ask, 'file')
    if (ask.route.raw_models.includes(ask.model)) return { path: PATH, headers: { 'content-type': type }, body: bytes }
    const { language, prompt } = ask.fields
    const audio = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')
    return jsonRequest(PATH, {
      audio,
      ...(language !== undefined && { language }),
      ...(prompt !== undefined && { initial_prompt: prompt }),
    })
  },
  read({ json }) {
    const heard = result(json)
    const info = (heard?.transcription_info ?? {}) as Record<string, unknown>
    const body = readReply({
      text: heard?.text,
      language: info.language,
      duration: info.duration,
      segments: heard?.segments ?? info.segments,
    })
    if (!body) return undefined
    return { body, usage: typeof body.duration === 'number' ? { audio_seconds: Math.ceil(body.duration) } : {} }
  },
}

export const speech: Style = {
  write(ask) {
    const { fields, route } = ask
    const format = fields.response_format
    if (typeof format === 'string' && route.formats && !route.formats.includes(format)) throw unsupported(`sound as ${format}`)
    return jsonRequest(PATH, changed({ prompt: fields.input }, route))
  },
  read({ type, bytes, json }) {
    const { audio } = result(json) ?? {}
    const sound = typeof audio === 'string' ? Buffer.from(audio, 'base64') : type.startsWith('audio/') ? bytes : undefined
    if (!sound || sound.length === 0) return undefined
    const isWav = Buffer.from(sound.subarray(0, 4)).toString('latin1') === 'RIFF'
    return { body: sound, type: isWav ? 'audio/wav' : 'audio/mpeg', usage: {} }
  },
}

export const image: Style = {
  write: ({ fields, files, route }) => {
    if (files.length > 0) throw unsupported('changing pictures')
    oneOnly(fields)
    return jsonRequest(PATH, changed({ prompt: fields.prompt }, route))
  },
  read({ type, bytes, json }) {
    const { image } = result(json) ?? {}
    const b64_json = typeof image === 'string' ? image : type.startsWith('image/') ? Buffer.from(bytes).toString('base64') : ''
    return b64_json === '' ? undefined : { body: { data: [{ b64_json }] }, usage: { images: 1 } }
  },
}

const envelope = z.looseObject({ result: z.looseObject({}) })

function result(json: unknown): Record<string, unknown> | undefined {
  return envelope.safeParse(json).data?.result
}
