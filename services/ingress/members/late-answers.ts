// Answers that take longer than Discord waits for them, which is three seconds: it is told that one comes, and gets it afterwards.
// https://discord.com/developers/docs/interactions/receiving-and-responding

import { setTimeout as pause } from 'node:timers/promises'
import { type Discord, DiscordError } from '#services/discord.ts'
import type { Logger } from '#services/logger.ts'
import { deferred, message } from './interaction.ts'

/** Half of what Discord waits: the rest is for the way there and back. */
const PATIENCE_MS = 1_500
/** Between tries to hand an answer in. Discord may have to hear first that it comes, or be away for a moment. */
const PAUSES_MS = [250, 500, 1_000, 2_000, 4_000, 8_000]
const LONGEST_PAUSE_MS = 30_000

export interface LateAnswers {
  /** `token`: of the interaction, a secret. `answer` must not reject. */
  inTime(token: string, answer: Promise<string>): Promise<ReturnType<typeof message> | typeof deferred>
  /** Answers that are ready are still handed in, once each. */
  close(): Promise<void>
}

export function openLateAnswers(discord: Pick<Discord, 'answer'>, logger: Logger): LateAnswers {
  const closing = new AbortController()
  const { signal } = closing
  const open = new Set<Promise<void>>()

  async function handIn(token: string, text: string): Promise<void> {
    for (const waitMs of [...PAUSES_MS, undefined]) {
      try {
        return await discord.answer(token, text)
      } catch (error) {
        if (!(error instanceof DiscordError)) throw error
        if (waitMs === undefined || signal.aborted || isFinal(error)) throw error
        const askedMs = Math.min(error.retryAfterMs ?? 0, LONGEST_PAUSE_MS)
        // Closing ends the wait; then it is tried a last time.
        await pause(Math.max(waitMs, askedMs), undefined, { signal }).catch(() => {})
      }
    }
  }

  function later(token: string, answer: Promise<string>): void {
    const handed = answer
      .then((text) => handIn(token, text))
      .catch((error: unknown) => logger.error('an answer could not be handed in at Discord', { error }))
      .finally(() => open.delete(handed))
    open.add(handed)
  }

  return {
    async inTime(token, answer) {
      const text = await soon(answer)
      if (text !== undefined) return message(text)
      later(token, answer)
      return deferred
    },
    async close() {
      closing.abort()
      await Promise.all(open)
    },
  }
}

/** What it resolves with, or undefined if that takes longer than Discord may be kept waiting. */
export async function soon<T>(work: Promise<T>): Promise<T | undefined> {
  const enough = new AbortController()
  try {
    // The timer that is not needed any more says so by rejecting.
    return await Promise.race([work, pause(PATIENCE_MS, undefined, enough).catch(() => undefined)])
  } finally {
    enough.abort()
  }
}

/** 404: Discord has not yet heard that an answer comes, as far as we can tell. */
function isFinal({ status }: DiscordError): boolean {
  return status !== undefined && status >= 400 && status < 500 && status !== 404 && status !== 429
}
