// What routers have learned about providers, kept in the bucket: a router that starts knows what the others know, and a restart
// of all forgets nothing. Written every few seconds if there is news; what a few seconds hold is not worth more.

import { z } from 'zod'
import type { KeyValue } from '#contracts/bus.ts'
import { healthKey } from '#contracts/subjects.ts'
import type { Logger } from '#services/logger.ts'
import type { Health } from './health.ts'
import { healthSnapshot, restore, snapshot } from './health-status.ts'
import { createTally, type Tally, tallySnapshot } from './tally.ts'

const WRITE_EVERY_MS = 5_000
/** So many fit into one message; those that were called last. */
const MAX_CONDITIONS = 2_000

const remembered = z.object({
  at_ms: z.number(),
  health: healthSnapshot,
  tally: tallySnapshot,
  /** As in the changes of the catalogue: what was reset since is not to be restored. */
  resets: z.record(z.string(), z.number()),
  /** By `provider/account`: of which key it was learned. */
  key_ids: z.record(z.string(), z.string()).default({}),
})
type Remembered = z.infer<typeof remembered>

export interface Memory {
  readonly health: Health
  readonly tally: Tally
  /** There is something to be written. */
  news(): void
  close(): Promise<void>
}

export interface MemoryOptions {
  config: KeyValue
  logger: Logger
  /** By provider, as it is now. */
  resets(): Readonly<Record<string, number>>
  /** By `provider/account`, where that is known. */
  keyIds(): Readonly<Record<string, string>>
  /** How often it is written at most. */
  everyMs?: number
}

export async function openMemory({ config, logger, resets, keyIds, everyMs = WRITE_EVERY_MS }: MemoryOptions): Promise<Memory> {
  const known = read((await config.get(healthKey))?.value)
  const ageMs = known ? Math.max(0, Date.now() - known.at_ms) : 0
  const health: Health = known ? restore(stillTrue(known, resets(), keyIds()), performance.now(), ageMs) : new Map()
  const tally = createTally(known?.tally)
  let news = false
  let writtenMs = performance.now()
  // Another router has written the same: then we need not.
  const watch = await config.watch(healthKey, () => {
    writtenMs = performance.now()
  })

  async function write(): Promise<void> {
    news = false
    const latest = [...health].sort(([, a], [, b]) => b.lastMs - a.lastMs).slice(0, MAX_CONDITIONS)
    const value: Remembered = {
      at_ms: Date.now(),
      health: snapshot(new Map(latest), performance.now()),
      tally: tally.snapshot(),
      resets: { ...resets() },
      key_ids: { ...keyIds() },
    }
    try {
      await config.put(healthKey, new TextEncoder().encode(JSON.stringify(value)))
    } catch (error) {
      news = true
      logger.debug('what was learned about providers could not be written', { error })
    }
  }

  const timer = setInterval(() => {
    if (news && performance.now() - writtenMs >= everyMs * 0.9) void write()
  }, everyMs)

  return {
    health,
    tally,
    news() {
      news = true
    },
    async close() {
      clearInterval(timer)
      watch.unsubscribe()
      if (news) await write()
    },
  }
}

/** Without what was reset since, and without what was learned of a key that has given its place to another. */
function stillTrue(
  known: Remembered,
  resets: Readonly<Record<string, number>>,
  keyIds: Readonly<Record<string, string>>,
): Remembered['health'] {
  return Object.fromEntries(
    Object.entries(known.health).filter(([key]) => {
      const [provider = '', account] = key.split('/')
      const place = `${provider}/${account}`
      const sameKey = account === undefined || known.key_ids[place] === undefined || known.key_ids[place] === keyIds[place]
      return sameKey && (resets[provider] ?? 0) === (known.resets[provider] ?? 0)
    }),
  )
}

function read(bytes: Uint8Array | undefined): Remembered | undefined {
  if (!bytes) return undefined
  try {
    return remembered.parse(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return undefined // of another version: what it says is learned again soon
  }
}
