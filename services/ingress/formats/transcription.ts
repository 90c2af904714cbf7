// OpenAI's transcriptions: a form with a file in, and the text in one of five shapes or as events out.

import { utf8 } from '#contracts/bytes.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { writeSse } from '#contracts/wire/sse.ts'
import { MAX_FILE_BYTES, readReply, readRequest, type TranscriptionFormat, writeEvents, writeReply } from '#contracts/wire/transcription.ts'
import type { Format } from './format.ts'
import { neverStreamed, readable } from './media.ts'

/** What a form takes beside its file. */
const FORM_BYTES = 256 * 1024

export const transcription: Format = {
  envelope: openaiEnvelope,
  maxBodyBytes: MAX_FILE_BYTES + FORM_BYTES,
  readRequest(body, { headers }) {
    const receivedMs = performance.now()
    const { job, format, words, events } = readRequest(body, headers.get('content-type') ?? '')
    const seconds = job.estimate.audio_seconds ?? 0
    return {
      job,
      answer: {
        stream: neverStreamed,
        type: events ? 'text/event-stream; charset=utf-8' : typeOf(format),
        whole(answer, { provider, model, position }) {
          const heard = readable(readReply, answer)
          if (events)
            return utf8(
              writeEvents(heard, seconds)
                .map((event) => writeSse(JSON.stringify(event)))
                .join(''),
            )
          const latency_ms = Math.round(performance.now() - receivedMs)
          return utf8(writeReply(heard, format, words, seconds, { provider, model, latency_ms, fallback_position: position }))
        },
      },
    }
  },
}

/** The official client hands a text back as such only if it is called so. */
function typeOf(format: TranscriptionFormat): string {
  return format === 'json' || format === 'verbose_json' ? 'application/json' : 'text/plain; charset=utf-8'
}
