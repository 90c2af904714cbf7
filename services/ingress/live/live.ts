// GET /api/live: what happens now, at all ingresses, as server-sent events.

import { FreewayError } from '#contracts/failure.ts'
import type { LiveEvent } from '#contracts/live.ts'
import type { ProviderStatus } from '#contracts/router-question.ts'
import { onClientGone } from '../front.ts'
import { respond } from '../respond.ts'
import type { Route } from '../routes.ts'
import type { LiveFeed } from './feed.ts'
import { openReader, type Reader } from './reader.ts'
import { watchRests } from './rests.ts'

/** Of one ingress. */
const MAX_READERS = 20
/** Nobody knows when one of them leaves. */
const FULL_RETRY_MS = 10_000

export interface Live {
  readonly routes: Route[]
  /** Ends all readers. */
  close(): void
}

/** `askProviders` may reject: then nothing is told of providers that rest. */
export function openLive(feed: LiveFeed, askProviders: () => Promise<ProviderStatus[]>): Live {
  const readers = new Set<Reader>()
  const toAll = (event: LiveEvent) => {
    for (const reader of readers) reader.push(event)
  }
  const rests = watchRests(askProviders, toAll)
  let watching: ReturnType<LiveFeed['watch']> | undefined

  function live(request: Request): Response {
    if (readers.size >= MAX_READERS) {
      const words = `${MAX_READERS} readers watch already; close one of them`
      throw new FreewayError('rate_limit_error', words, { retryAfterMs: FULL_RETRY_MS })
    }
    const reader = openReader(() => {
      readers.delete(reader)
      if (readers.size > 0) return
      rests.stop()
      watching?.unsubscribe()
      watching = undefined
    })
    for (const rest of rests.current) reader.push(rest)
    readers.add(reader)
    watching ??= feed.watch(toAll)
    rests.start()
    onClientGone(request, () => reader.close())
    const headers = { 'cache-control': 'no-cache, no-transform', 'x-accel-buffering': 'no' }
    return respond(200, { 'content-type': 'text/event-stream; charset=utf-8', ...headers }, reader.body)
  }

  return {
    routes: [{ method: 'GET', path: '/api/live', access: 'admin', handle: live }],
    close() {
      for (const reader of [...readers]) reader.close()
    },
  }
}
