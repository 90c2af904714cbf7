// OpenAI's speech: the sound itself as it comes, or as events.

import { Buffer } from 'node:buffer'
import { utf8 } from '#contracts/bytes.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { readRequest } from '#contracts/wire/speech.ts'
import { writeSseBytes } from '#contracts/wire/sse.ts'
import type { Format, StreamFormat } from './format.ts'

/** The sound of a token, about: only told, never settled. */
const BYTES_PER_TOKEN = 400
const PING = utf8(': ping\n\n')

export const speech: Format = {
  envelope: openaiEnvelope,
  readRequest(body) {
    const { job, events } = readRequest(body)
    const stream = () => (events ? asEvents(job.estimate.in) : asBytes)
    return { job, answer: { stream, whole: (sound) => sound } }
  },
}

const asBytes: StreamFormat = {
  ping: undefined,
  type: (sent) => sent,
  write: (bytes) => bytes,
  end: () => new Uint8Array(0),
  // Words in the midst of a sound would be played.
  fail: () => undefined,
}

function asEvents(inputTokens: number): StreamFormat {
  let bytes = 0
  return {
    ping: PING,
    write(sound) {
      bytes += sound.length
      const audio = Buffer.from(sound.buffer, sound.byteOffset, sound.length).toString('base64')
      return writeSseBytes(JSON.stringify({ type: 'speech.audio.delta', audio }))
    },
    end() {
      const outputTokens = Math.ceil(bytes / BYTES_PER_TOKEN)
      const usage = { input_tokens: inputTokens, output_tokens: outputTokens, total_tokens: inputTokens + outputTokens }
      return writeSseBytes(JSON.stringify({ type: 'speech.audio.done', usage }))
    },
    fail: (error, requestId) => writeSseBytes(JSON.stringify({ type: 'error', ...openaiEnvelope(error, requestId).body })),
  }
}
