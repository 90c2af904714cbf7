// Asks telemetry, which alone has the database. Nothing that a client waits for comes this way, only what operators look at.

import { type Bus, Disconnected, NoResponders, RequestTimeout } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { Answers, Question, Reply } from '#contracts/question.ts'
import { questions } from '#contracts/subjects.ts'

const TIMEOUT_MS = 10_000
const RETRY_AFTER_MS = 5_000

export type Ask = <Asked extends Question>(question: Asked) => Promise<Answers[Asked['kind']]>

/** `ask` rejects with FreewayError 503 when telemetry is away or cannot say. */
export function askTelemetry(bus: Bus): Ask {
  return async <Asked extends Question>(question: Asked) => {
    let data: Uint8Array
    try {
      data = (await bus.request(questions, new TextEncoder().encode(JSON.stringify(question)), { timeoutMs: TIMEOUT_MS })).data
    } catch (error) {
      throw away(wordsOf(error), error)
    }
    const reply = JSON.parse(new TextDecoder().decode(data)) as Reply<Asked['kind']>
    if ('refused' in reply) throw away(reply.refused)
    return reply.answer
  }
}

function wordsOf(error: unknown): string {
  if (error instanceof NoResponders) return 'telemetry is not running, so there are no records to read; start "freeway telemetry"'
  if (error instanceof RequestTimeout) return 'telemetry did not answer in time; it may be catching up'
  if (error instanceof Disconnected) return 'the connection to the broker is down'
  return 'telemetry could not be asked'
}

function away(message: string, cause?: unknown): FreewayError {
  return new FreewayError('server_error', message, { status: 503, retryAfterMs: RETRY_AFTER_MS, cause })
}
