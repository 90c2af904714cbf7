// Bans, tiers and settings of access: watched, and held in memory in the form in which they are asked for.

import type { AccessSettings, AccessSettingsChange, Ban, TierSettings } from '#contracts/account.ts'
import { accessSettings, ban, tierSettings } from '#contracts/account.ts'
import type { KeyValue, KeyValueEntry, Subscription } from '#contracts/bus.ts'
import { accessKeys, tiersKey } from '#contracts/subjects.ts'
import { type BanList, banList } from './ban-list.ts'

export interface Policy {
  readonly settings: AccessSettings
  /** What the settings are if this is all that is stored of them. Throws what zod throws. */
  settingsOver(stored: object): AccessSettings
  readonly tiers: TierSettings
  /** By id. */
  readonly bans: ReadonlyMap<string, Ban>
  readonly banList: BanList
  /** Resolves when `holds` does, at the latest after two seconds: what was written comes back over the watch. */
  seen(holds: (policy: Policy) => boolean): Promise<void>
  close(): void
}

const SEEN_WITHIN_MS = 2_000

/**
 * `kv`: the bucket of access; `config`: that of the catalogue, whose router obeys the tiers as well; `configured`: the settings of
 * freeway.json, over which those of the bucket are laid.
 */
export async function watchPolicy(kv: KeyValue, config: KeyValue, configured: AccessSettingsChange = {}): Promise<Policy> {
  const over = (stored: object) => accessSettings.parse({ ...configured, ...stored })
  let settings = over({})
  let tiers = tierSettings.parse({})
  let list: BanList | undefined
  const bans = new Map<string, Ban>()
  const waiting = new Set<() => void>()
  const subscriptions: Subscription[] = []

  async function watch(bucket: KeyValue, pattern: string, take: (entry: KeyValueEntry) => void): Promise<void> {
    const subscription = await bucket.watch(pattern, (entry) => {
      take(entry)
      for (const look of waiting) look()
    })
    subscriptions.push(subscription)
  }

  await watch(kv, accessKeys.settings, ({ value }) => {
    settings = value ? (read({ parse: (stored) => over(stored as object) }, value) ?? settings) : over({})
  })
  await watch(config, tiersKey, ({ value }) => {
    tiers = read(tierSettings, value) ?? tiers
  })
  await watch(kv, accessKeys.bans, ({ key, value }) => {
    const entry = read(ban, value)
    if (entry) bans.set(entry.id, entry)
    else if (!value) bans.delete(key.slice(key.indexOf('.') + 1))
    // Made anew when it is first asked for: many bans may be told at once.
    list = undefined
  })

  const self: Policy = {
    get settings() {
      return settings
    },
    settingsOver: over,
    get tiers() {
      return tiers
    },
    bans,
    get banList() {
      list ??= banList(bans.values())
      return list
    },
    async seen(holds) {
      if (holds(self)) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const look = () => {
        if (holds(self)) resolve()
      }
      waiting.add(look)
      const timer = setTimeout(resolve, SEEN_WITHIN_MS)
      await promise
      clearTimeout(timer)
      waiting.delete(look)
    },
    close() {
      for (const subscription of subscriptions) subscription.unsubscribe()
    },
  }
  return self
}

const decoder = new TextDecoder()

/** Undefined if there is none, or it is that of a newer version: what is known stays in force. */
function read<T>(schema: { parse(value: unknown): T }, bytes: Uint8Array | undefined): T | undefined {
  if (!bytes) return undefined
  try {
    return schema.parse(JSON.parse(decoder.decode(bytes)))
  } catch {
    return undefined // the caller keeps the last good one
  }
}
