// What the formats of media have in common: answers of workers that are JSON, read as what they should be.

import { FreewayError } from '#contracts/failure.ts'
import type { StreamFormat } from './format.ts'

const decoder = new TextDecoder()

/** Throws FreewayError if the answer is not what was asked for. */
export function readable<T>(read: (json: unknown) => T | undefined, answer: Uint8Array): T {
  const reply = read(JSON.parse(decoder.decode(answer)))
  if (reply === undefined) throw new FreewayError('provider_error', 'the provider sent an answer that cannot be read')
  return reply
}

/** For formats whose jobs are no streams. */
export function neverStreamed(): StreamFormat {
  throw new Error('this format is never streamed')
}
