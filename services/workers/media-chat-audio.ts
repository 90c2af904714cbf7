// Pure. Speech by a model that chats aloud: it is asked to say what it is given.

import { Buffer } from 'node:buffer'
import { z } from 'zod'
import { speechTypes } from '#contracts/wire/speech.ts'
import { jsonRequest, type MediaAsk, type Style, soundFormatOf, voiceOf } from './media-style.ts'

const count = z.int().min(0)
const answer = z.looseObject({
  choices: z.array(z.looseObject({ message: z.looseObject({ audio: z.looseObject({ data: z.string().min(1) }) }) })).min(1),
  usage: z.looseObject({ prompt_tokens: count, completion_tokens: count }).nullish(),
})

const TASK = 'Read the text of the user aloud, word for word. Say nothing else.'

export const speech: Style = {
  write(ask) {
    const { fields, model } = ask
    const how = typeof fields.instructions === 'string' ? ` ${fields.instructions}` : ''
    return jsonRequest('/chat/completions', {
      model,
      modalities: ['text', 'audio'],
      audio: { voice: voiceOf(ask) ?? 'alloy', format: formatOf(ask) },
      messages: [
        { role: 'system', content: `${TASK}${how}` },
        { role: 'user', content: fields.input },
      ],
    })
  },
  read({ json }, ask) {
    const read = answer.safeParse(json).data
    const data = read?.choices[0]?.message.audio.data
    if (!read || data === undefined) return undefined
    const tokens = read.usage ? { in: read.usage.prompt_tokens, out: read.usage.completion_tokens } : {}
    return { body: Buffer.from(data, 'base64'), type: speechTypes[formatOf(ask)] ?? 'application/octet-stream', usage: tokens }
  },
}

function formatOf(ask: MediaAsk): string {
  return soundFormatOf(ask) ?? 'mp3'
}
