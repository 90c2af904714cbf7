// Providers that rest, as long as anybody watches: the routers know, and are asked every few seconds.

import type { LiveEvent } from '#contracts/live.ts'
import type { ProviderStatus } from '#contracts/router-question.ts'

const ASK_EVERY_MS = 3_000

type Rest = Extract<LiveEvent, { event: 'provider_resting' }>

export interface Rests {
  /** What rests now, as far as known. */
  readonly current: readonly LiveEvent[]
  start(): void
  stop(): void
}

/** `ask` may fail: then nothing has changed as far as anybody knows. */
export function watchRests(ask: () => Promise<ProviderStatus[]>, onEvent: (event: LiveEvent) => void): Rests {
  let known = new Map<string, Rest>()
  let timer: ReturnType<typeof setInterval> | undefined
  let asking = false

  async function look(): Promise<void> {
    if (asking) return
    asking = true
    const statuses = await ask().catch(() => undefined) // no router, or no answer in time: it is asked again
    asking = false
    if (!statuses || timer === undefined) return
    const at = Date.now()
    const now = new Map(statuses.flatMap((status) => restsOf(status, at)))
    for (const [what, rest] of now) if (!known.has(what)) onEvent(rest)
    for (const [what, { provider, account, model }] of known) {
      if (!now.has(what)) onEvent({ event: 'provider_back', at, provider, ...(account && { account }), ...(model && { model }) })
    }
    known = now
  }

  return {
    get current() {
      return [...known.values()]
    },
    start() {
      timer ??= setInterval(look, ASK_EVERY_MS)
      void look()
    },
    stop() {
      clearInterval(timer)
      timer = undefined
      known = new Map()
    },
  }
}

function restsOf({ name, cooldowns }: ProviderStatus, at: number): [string, Rest][] {
  return cooldowns.map(({ account, model, reason, ends_in_ms }) => [
    JSON.stringify([name, account, model]),
    { event: 'provider_resting', at, provider: name, ...(account && { account }), ...(model && { model }), reason, ends_in_ms },
  ])
}
