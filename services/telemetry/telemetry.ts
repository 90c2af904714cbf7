// Door of telemetry: takes what has happened from the event log to the store. A message of the log is acknowledged
// when all its facts are durable, and comes again otherwise; repeats are harmless, for a fact writes the same place each time.

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Backbone, LoggedEvent } from '#contracts/bus.ts'
import { eventConsumer } from '#contracts/subjects.ts'
import type { Logger } from '#services/logger.ts'
import type { Settings } from '#services/settings.ts'
import { answerQuestions } from './answer.ts'
import { tracedSave } from './batch-trace.ts'
import { countDead, countSaved, measureStore } from './measures.ts'
import { type ReadMessage, readMessage } from './reading.ts'
import { GRACE_MS, verdictOf } from './reaper.ts'
import type { EventStore } from './store/store.ts'

export interface Telemetry {
  /** In words, for the banner. */
  readonly store: string
  /** What keeps it from storing, in words: `database`. */
  readonly missing: string[]
  /** Takes nothing new, and ends what it is about to write. */
  close(): Promise<void>
}

export interface TelemetryOptions {
  backbone: Backbone
  settings: Pick<Settings, 'dataDir' | 'mongodbUrl' | 'requestTimeoutMs'>
  logger: Logger
}

/** Messages; each carries up to 500 facts. A batch has to be stored well before its messages are handed out again. */
const MAX_BATCH = 200
const MAX_WAIT_MS = 1_000
const ACK_WAIT_MS = 30_000
/** Facts that are saved together. */
const SAVED_TOGETHER = 5_000
const RETRY_MS = 2_000
const ROLL_UP_MS = 1_000
const REAP_MS = 15_000
/** Requests that are given up together. */
const REAPED_TOGETHER = 500
/** As long as facts come that are older than this, the ends of requests may still be on their way. */
const BEHIND_MS = 60_000

/** Resolves when it takes events. A MongoDB that is down is waited for in the background: the log keeps what comes. */
export async function startTelemetry({ backbone, settings, logger }: TelemetryOptions): Promise<Telemetry> {
  const store = await openStore(settings)
  let working: Promise<void> = Promise.resolve()
  let closed = false
  let down = false
  let lagMs = 0
  /** When facts last came that had waited long. */
  let behindAt = Number.NEGATIVE_INFINITY

  async function onBatch(messages: LoggedEvent[]): Promise<void> {
    const waiting = messages[Symbol.iterator]()
    let next = waiting.next()
    while (!next.done && !closed) {
      const together: [LoggedEvent, ReadMessage][] = []
      let facts = 0
      for (; !next.done && facts < SAVED_TOGETHER; next = waiting.next()) {
        const read = readMessage(next.value.id, next.value.data)
        facts += read.events.length
        together.push([next.value, read])
        // Reading is work as well: others come in between.
        await setImmediate()
      }
      try {
        await saveAndAcknowledge(together)
        if (down) logger.info('the store is back', { store: store.name })
        down = false
      } catch (error) {
        if (!down) logger.error('the store is down; events wait in the log', { store: store.name, error })
        down = true
        for (const [message] of together) message.nak(RETRY_MS)
        for (; !next.done; next = waiting.next()) next.value.nak(RETRY_MS)
      }
    }
    // We are closing: whoever goes on gets the rest at once, and not only after the ack wait.
    for (; !next.done; next = waiting.next()) next.value.nak()
  }

  async function saveAndAcknowledge(together: [LoggedEvent, ReadMessage][]): Promise<void> {
    const facts = together.flatMap(([, { events }]) => events)
    const { saved } = await tracedSave(facts, together.length, store.name, () => store.save(facts))
    countSaved(saved.length)
    const now = Date.now()
    lagMs = now - facts.reduce((oldest, { at }) => Math.min(oldest, at), now)
    if (lagMs > BEHIND_MS) behindAt = performance.now()
    // Seldom anything but all.
    const isSaved = saved.length === facts.length ? undefined : new Set(saved)
    for (const [message, { events, fault }] of together) {
      if (fault) {
        await store.bury({ ...fault, at: Date.now() })
        countDead()
        logger.error('an event could not be read and is kept as a dead letter', { message: fault.id, reason: fault.reason })
      }
      if (isSaved && !events.every(({ id }) => isSaved.has(id))) message.nak(RETRY_MS)
      else if (events.length === 0) message.term()
      // Unacknowledged it comes again, which is harmless.
      else message.ack().catch((error: unknown) => logger.debug('an acknowledgement was lost', { message: message.id, error }))
    }
  }

  const subscription = await backbone.events.consume(
    { durable: eventConsumer, maxBatch: MAX_BATCH, maxWaitMs: MAX_WAIT_MS, ackWaitMs: ACK_WAIT_MS },
    (messages) => {
      working = onBatch(messages)
      return working
    },
  )
  const stopMeasuring = measureStore({
    get lagMs() {
      return lagMs
    },
    get down() {
      return down
    },
  })
  const questions = answerQuestions({ bus: backbone.bus, store, logger })
  const chores = [
    everySoOften(ROLL_UP_MS, () => store.rollUp()),
    everySoOften(REAP_MS, async () => {
      if (performance.now() - behindAt < BEHIND_MS) return
      const given = await store.unended(Date.now() - settings.requestTimeoutMs - GRACE_MS, REAPED_TOGETHER)
      if (given.length === 0) return
      await store.save(given.map(verdictOf))
      logger.warn('requests whose end nobody told were given up', { requests: given.length })
    }),
  ]

  /** One at a time; a store that is down is told by whoever saves. */
  function everySoOften(ms: number, work: () => Promise<void>): () => Promise<void> {
    let running: Promise<void> | undefined
    const timer = setInterval(() => {
      running ??= work()
        .catch((error: unknown) => logger.debug('a chore of the store failed and is done later', { store: store.name, error }))
        .finally(() => {
          running = undefined
        })
    }, ms)
    return async () => {
      clearInterval(timer)
      await running
    }
  }

  logger.info('ready', { store: store.name })
  return {
    store: store.name,
    get missing() {
      return down ? ['database'] : []
    },
    async close() {
      closed = true
      stopMeasuring()
      questions.unsubscribe()
      subscription.unsubscribe()
      await working
      await Promise.all(chores.map((stop) => stop()))
      await store.close()
    },
  }
}

async function openStore({ dataDir, mongodbUrl }: TelemetryOptions['settings']): Promise<EventStore> {
  // Neither driver is loaded where the other one is used.
  if (mongodbUrl) return (await import('./store/mongo.ts')).openMongoStore(mongodbUrl)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  return (await import('./store/sqlite.ts')).openSqliteStore(join(dataDir, 'telemetry.db'))
}
