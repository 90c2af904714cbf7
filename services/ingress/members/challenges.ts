// Challenges as they are handed out and judged. Nothing is kept of one that is handed out: question and answer follow from its id
// and a secret that all replicas share. Only what has been answered is remembered, until it would have expired anyway.

import { Buffer } from 'node:buffer'
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { FreewayError } from '#contracts/failure.ts'
import { ask, diceOf, isRight, type Question } from './challenge.ts'
import type { Tally } from './tally.ts'

export const CHALLENGE_MS = 5 * 60_000
export const TRIES = 3
/** How much the clocks of two replicas may differ. */
const SKEW_MS = 60_000
const NONCE_BYTES = 15
const SEAL_BYTES = 16

export interface Challenge {
  /** 48 characters of base64url, from which neither question nor answer follow. */
  id: string
  question: string
  expiresMs: number
}

export interface Answer {
  id: string
  answer: string
}

export interface Challenges {
  /** `holder`: only the same one may answer it; a text that the other side cannot choose. */
  issue(holder: string): Challenge
  /**
   * Resolves if the answer is right; the challenge is then used up, for all replicas.
   * Throws FreewayError 400 with code `wrong_answer`, `challenge_expired` or `challenge_used`, and what the bucket throws.
   */
  judge(answer: Answer, holder: string): Promise<void>
}

/** `secret`: the same in all replicas. `random`: so many bytes. */
export function openChallenges(
  secret: string,
  tally: Tally,
  now: () => number,
  random: (bytes: number) => Uint8Array = randomBytes,
): Challenges {
  const key = createHmac('sha256', secret).update('freeway challenges').digest()
  const derive = (what: string, ...parts: (string | Uint8Array)[]) => {
    const hmac = createHmac('sha256', key).update(`${what}\0`)
    for (const part of parts) hmac.update(part)
    return hmac.digest()
  }
  const questionOf = (body: Uint8Array, holder: string): Question => ask(diceOf(derive('question', body, holder)))
  const sealOf = (body: Uint8Array, holder: string) => derive('seal', body, holder).subarray(0, SEAL_BYTES)

  return {
    issue(holder) {
      // Whole seconds, as they stand in the id.
      const expires = Math.floor((now() + CHALLENGE_MS) / 1000)
      const body = Buffer.concat([random(NONCE_BYTES), Buffer.alloc(5)])
      body.writeUIntBE(expires, NONCE_BYTES, 5)
      const id = Buffer.concat([body, sealOf(body, holder)]).toString('base64url')
      return { id, question: questionOf(body, holder).text, expiresMs: expires * 1000 }
    },

    async judge({ id, answer }, holder) {
      const bytes = Buffer.from(id, 'base64url')
      const body = bytes.subarray(0, NONCE_BYTES + 5)
      const seal = bytes.subarray(NONCE_BYTES + 5)
      if (seal.length !== SEAL_BYTES || !timingSafeEqual(seal, sealOf(body, holder)) || bytes.toString('base64url') !== id) throw expired()
      const expiresMs = body.readUIntBE(NONCE_BYTES, 5) * 1000
      const leftMs = expiresMs - now()
      // One that expires too late was made by a clock that has been set back since: it may have been used already.
      if (leftMs <= 0 || leftMs > CHALLENGE_MS + SKEW_MS) throw expired()
      const right = isRight(questionOf(body, holder), answer)
      const before = await tally.change(`challenge ${id}`, expiresMs, (used) => (right ? TRIES : used + 1))
      if (before >= TRIES) throw refused('challenge_used', 'this challenge has been used up: get a new one')
      if (!right) throw wrong(TRIES - before - 1)
    },
  }
}

function wrong(left: number): FreewayError {
  const further = left === 0 ? 'get a new challenge' : `${left} more ${left === 1 ? 'try' : 'tries'} with this challenge`
  return refused('wrong_answer', `wrong answer: ${further}`)
}

function expired(): FreewayError {
  return refused('challenge_expired', 'this challenge is unknown or has expired: get a new one')
}

function refused(code: string, message: string): FreewayError {
  return new FreewayError('invalid_request_error', message, { code, param: code === 'wrong_answer' ? 'answer' : 'challenge_id' })
}
