// Pure. Gemini's own interface, where its OpenAI-like one has nothing: models that hear write down what is said, and models that speak.
// https://ai.google.dev/api/generate-content

import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { concat, utf8 } from '#contracts/bytes.ts'
import { writeWavHead } from '#contracts/wire/wav.ts'
import { fileOf, JSON_HEADERS, jsonRequest, type MediaAsk, type Style, unsupported, voiceOf } from './media-style.ts'

const PATH = '../models/{model}:generateContent'

const count = z.int().min(0).optional()
const answer = z.looseObject({
  candidates: z
    .array(
      z.looseObject({
        content: z.looseObject({
          parts: z.array(
            z.looseObject({
              text: z.string().optional(),
              thought: z.boolean().optional(),
              inlineData: z.looseObject({ mimeType: z.string(), data: z.string() }).optional(),
            }),
          ),
        }),
      }),
    )
    .min(1),
  usageMetadata: z.looseObject({ promptTokenCount: count, candidatesTokenCount: count, thoughtsTokenCount: count }).optional(),
})

export const transcription: Style = {
  write(ask) {
    const { bytes, type } = fileOf(ask, 'file')
    const head = JSON.stringify({
      contents: [
        {
          role: 'user',
          parts: [{ text: taskOf(ask) }, { inline_data: { mime_type: type === 'audio/mpeg' ? 'audio/mp3' : type, data: '' } }],
        },
      ],
      generationConfig: { temperature: 0 },
    })
    // The file goes into the one empty text, without a copy of it as a string in between.
    const at = head.lastIndexOf('""}') + 1
    const body = concat([utf8(head.slice(0, at)), base64(bytes), utf8(head.slice(at))])
    return { path: PATH, headers: { ...JSON_HEADERS, ...keyHeader(ask) }, body }
  },
  read({ json }) {
    const read = answer.safeParse(json).data
    if (!read) return undefined
    const parts = read.candidates[0]?.content.parts.filter(({ thought }) => !thought) ?? []
    const text = parts.map((part) => part.text ?? '').join('')
    return { body: { text: text === SILENCE ? '' : text.trim() }, usage: usageOf(read) }
  },
}

export const speech: Style = {
  write(ask) {
    const { fields } = ask
    // What cannot be given is refused before it is asked for.
    formatOf(ask)
    const instructions = typeof fields.instructions === 'string' && fields.instructions !== '' ? `${fields.instructions}: ` : ''
    const voiceName = voiceOf(ask)
    const speechConfig = voiceName === undefined ? {} : { speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName } } } }
    const request = jsonRequest(PATH, {
      contents: [{ role: 'user', parts: [{ text: `${instructions}${String(fields.input)}` }] }],
      generationConfig: { responseModalities: ['AUDIO'], ...speechConfig },
    })
    return { ...request, headers: { ...request.headers, ...keyHeader(ask) } }
  },
  read({ json }, ask) {
    const read = answer.safeParse(json).data
    const sound = read?.candidates[0]?.content.parts.find(({ inlineData }) => inlineData)?.inlineData
    if (!read || !sound) return undefined
    const samples = Buffer.from(sound.data, 'base64')
    const rate = Number(/rate=(\d{4,6})/.exec(sound.mimeType)?.[1] ?? ask.route.pcm_rate)
    const raw = formatOf(ask) === 'pcm'
    return {
      body: raw ? samples : concat([writeWavHead(samples.length, rate), samples]),
      type: raw ? 'audio/pcm' : 'audio/wav',
      usage: usageOf(read),
    }
  },
}

const SILENCE = '[silence]'

function taskOf({ fields: { language, prompt } }: MediaAsk): string {
  const parts = [`Write down word for word what is said in this recording. Reply with the words alone; if nobody speaks, with ${SILENCE}.`]
  if (typeof language === 'string') parts.push(`The language is ${language}.`)
  if (typeof prompt === 'string') parts.push(`Names and words that may occur: ${prompt}`)
  return parts.join(' ')
}

/** It gives samples; what can be made of them without an encoder. */
function formatOf({ fields: { response_format: asked } }: MediaAsk): 'wav' | 'pcm' {
  if (asked === undefined || asked === null || asked === 'wav') return 'wav'
  if (asked === 'pcm') return 'pcm'
  throw unsupported(`sound as ${String(asked)}`)
}

function keyHeader({ key }: MediaAsk): Record<string, string | undefined> {
  return key === undefined ? {} : { authorization: undefined, 'x-goog-api-key': key }
}

function usageOf({ usageMetadata: counted }: z.infer<typeof answer>): { in?: number; out?: number } {
  if (counted?.promptTokenCount === undefined) return {}
  return { in: counted.promptTokenCount, out: (counted.candidatesTokenCount ?? 0) + (counted.thoughtsTokenCount ?? 0) }
}

function base64(bytes: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64'), 'latin1')
}
