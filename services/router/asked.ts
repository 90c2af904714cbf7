// Pure. What a job asks for, to tell which others need not look for room where one has found none: those that ask for the same of
// the same, or for more.

import type { Submit } from '#contracts/attempt.ts'

export interface Asked {
  /** Whom it may go to; equal for jobs that have the same candidates, but for their size. */
  what: string
  /** How much it needs, in several ways. */
  sizes: readonly number[]
}

export function askedBy({ kind, model, strategy, need, est, exclude, preferred, roles, billable_ok, blob }: Submit): Asked {
  const { ctx, tool_count = 0, ...wants } = need
  const { images = 0, audio_seconds = 0 } = est
  return {
    what: JSON.stringify([kind, model, strategy, wants, exclude, preferred, roles, billable_ok]),
    sizes: [ctx, tool_count, est.in + est.out, est.out, images, audio_seconds, blob?.size ?? 0],
  }
}

/** Those that have found no room in one look at all that wait. */
export interface Spent {
  /** `opensAtMs`: when there may be room for it. */
  add(asked: Asked, opensAtMs: number): void
  /** When there may be room at the earliest; undefined if nobody has looked who needs no more than this one. */
  opensAtMs(asked: Asked): number | undefined
}

export function openSpent(): Spent {
  const found = new Map<string, { sizes: readonly number[]; opensAtMs: number }[]>()
  return {
    add({ what, sizes }, opensAtMs) {
      const others = found.get(what)
      if (others) others.push({ sizes, opensAtMs })
      else found.set(what, [{ sizes, opensAtMs }])
    },
    opensAtMs({ what, sizes }) {
      return found.get(what)?.find((one) => one.sizes.every((size, i) => size <= (sizes[i] as number)))?.opensAtMs
    },
  }
}
