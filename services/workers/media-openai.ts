// Pure. Media as OpenAI has them, and nearly everybody else.

import { readReply as readEmbeddings } from '#contracts/wire/embeddings.ts'
import { readReply as readImage } from '#contracts/wire/image.ts'
import { formParts } from '#contracts/wire/multipart.ts'
import { soundNames } from '#contracts/wire/sound.ts'
import { readReply as readTranscription } from '#contracts/wire/transcription.ts'
import { changed, fileOf, jsonRequest, type MediaAsk, type MediaRequest, type Style, soundFormatOf, voiceOf } from './media-style.ts'

export const embedding: Style = {
  write: ({ fields, route, model }) => jsonRequest('/embeddings', { model, ...changed(fields, route) }),
  read({ json }) {
    const reply = readEmbeddings(json)
    if (!reply) return undefined
    const { vectors, tokens } = reply
    const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: vector }))
    const usage = tokens === undefined ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } }
    return { body: { object: 'list', data, ...usage }, usage: tokens === undefined ? {} : { in: tokens, out: 0 } }
  },
}

export const speech: Style = {
  streams: true,
  write(ask) {
    const { fields, route, model } = ask
    const response_format = soundFormatOf(ask)
    return jsonRequest('/audio/speech', { model, ...changed({ ...fields, voice: voiceOf(ask), response_format }, route) })
  },
  read: () => undefined,
}

/** Shapes that are made of times are made from the one that tells them. */
const PLAIN = new Set([undefined, 'json', 'text'])

export const transcription: Style = {
  write(ask) {
    const { fields, route, model } = ask
    const { bytes, type } = fileOf(ask, 'file')
    const { timestamp_granularities: granularities, response_format: wanted, ...rest } = fields
    const response_format = PLAIN.has(wanted as string | undefined) ? 'json' : 'verbose_json'
    const form = changed({ model, ...rest, response_format, 'timestamp_granularities[]': granularities }, route)
    // Providers tell the format by the ending of the name.
    const file = { field: 'file', name: `audio.${soundNames[type] ?? 'bin'}`, type, bytes }
    return formRequest('/audio/transcriptions', form, [file], ask)
  },
  read({ json }) {
    const heard = readTranscription(json)
    if (!heard) return undefined
    const { duration, usage } = heard
    const tokens = usage as { input_tokens?: unknown; output_tokens?: unknown } | null | undefined
    const counted = typeof tokens?.input_tokens === 'number' && typeof tokens.output_tokens === 'number'
    return {
      body: heard,
      usage: {
        ...(counted && { in: tokens.input_tokens as number, out: tokens.output_tokens as number }),
        ...(typeof duration === 'number' && { audio_seconds: Math.ceil(duration) }),
      },
    }
  },
}

export const image: Style = {
  write(ask) {
    const { fields, files, route, model } = ask
    if (files.length === 0) return jsonRequest('/images/generations', { model, ...changed(fields, route) })
    const several = files.filter(({ field }) => field === 'image').length > 1
    const named = files.map((file) => (several && file.field === 'image' ? { ...file, field: 'image[]' } : file))
    return formRequest('/images/edits', { model, ...changed(fields, route) }, named, ask)
  },
  read({ json }) {
    const reply = readImage(json)
    if (!reply) return undefined
    const tokens = reply.usage ? { in: reply.usage.input_tokens, out: reply.usage.output_tokens } : {}
    return { body: reply, usage: { ...tokens, images: reply.data.length } }
  },
}

function formRequest(path: string, fields: Record<string, unknown>, files: MediaAsk['files'], { boundary }: MediaAsk): MediaRequest {
  return {
    path,
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: formParts(fields, files, boundary),
  }
}
