// The live feed of one ingress: tells the others what happens here as long as anybody watches anywhere, and hears it of all of them.
// Lossy by design: what is too much for one message is left out and counted.

import type { Bus, Subscription } from '#contracts/bus.ts'
import { type LiveEvent, liveBatch } from '#contracts/live.ts'
import { decode, encode } from '#contracts/message.ts'
import { liveFeed, liveWanted } from '#contracts/subjects.ts'

const TOLD_EVERY_MS = 200
/** Of one message: 250 a second, more than anybody reads. */
const MAX_TOLD = 50
const WANTED_EVERY_MS = 2_000
/** Two announcements may be lost. */
const WANTED_FOR_MS = 7_000
const nothing = new Uint8Array()

export interface LiveFeed {
  /** Whether anybody watches: otherwise events need not be made. */
  readonly wanted: boolean
  tell(event: LiveEvent): void
  /** Calls back with what happens at any ingress, until the subscription ends. */
  watch(onEvent: (event: LiveEvent) => void): Subscription
  close(): void
}

export function openLiveFeed(bus: Bus): LiveFeed {
  const watchers = new Set<(event: LiveEvent) => void>()
  let wantedUntilMs = Number.NEGATIVE_INFINITY
  let told: LiveEvent[] = []
  let skipped = 0
  let telling: ReturnType<typeof setTimeout> | undefined
  let announcing: ReturnType<typeof setInterval> | undefined
  let feed: Subscription | undefined

  const wishes = bus.subscribe(liveWanted, () => {
    wantedUntilMs = performance.now() + WANTED_FOR_MS
  })

  function tellNow(): void {
    telling = undefined
    if (skipped > 0) told.push({ event: 'skipped', at: Date.now(), count: skipped })
    bus.publish(liveFeed, encode({ v: 1, events: told }))
    told = []
    skipped = 0
  }

  function announce(): void {
    bus.publish(liveWanted, nothing)
  }

  function stopWatching(): void {
    clearInterval(announcing)
    feed?.unsubscribe()
    feed = undefined
  }

  return {
    get wanted() {
      return performance.now() < wantedUntilMs
    },
    tell(event) {
      if (told.length >= MAX_TOLD) skipped++
      else told.push(event)
      telling ??= setTimeout(tellNow, TOLD_EVERY_MS)
    },
    watch(onEvent) {
      watchers.add(onEvent)
      if (!feed) {
        feed = bus.subscribe(liveFeed, ({ data }) => {
          for (const event of decode(liveBatch, data)?.message.events ?? []) for (const watcher of watchers) watcher(event)
        })
        announcing = setInterval(announce, WANTED_EVERY_MS)
      }
      announce()
      return {
        unsubscribe() {
          if (watchers.delete(onEvent) && watchers.size === 0) stopWatching()
        },
      }
    },
    close() {
      clearTimeout(telling)
      watchers.clear()
      stopWatching()
      wishes.unsubscribe()
    },
  }
}
