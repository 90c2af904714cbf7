// The keys of each provider as this worker can use them: those that an admin has stored, opened here, else those of the settings.

import { type CatalogOverrides, storedKeys } from '#contracts/catalog-change.ts'
import type { Logger } from '#services/logger.ts'
import type { KeyedProvider } from '#services/provider-keys.ts'
import { registerSecret } from '#services/redact.ts'
import type { Settings } from '#services/settings.ts'
import { type Vault, VaultError } from '#services/vault.ts'

export interface KeyRing {
  /** In the order of the accounts. Empty if there is none, or if it cannot be opened here. */
  keysOf(provider: KeyedProvider): string[]
  /** Why the stored keys of a provider cannot be opened here. */
  faultOf(provider: string): string | undefined
}

const REMEDY = 'give every process of this gateway the same FREEWAY_SECRET (the former one as FREEWAY_SECRET_OLD), or store the key again'

export interface KeyRingOptions {
  settings: Pick<Settings, 'keysOf'>
  vault: Vault
  logger: Logger
  /** As it is now. */
  overrides(): CatalogOverrides
}

export function openKeyRing({ settings, vault, logger, overrides }: KeyRingOptions): KeyRing {
  /** By provider and what is stored of it: opening is done once. */
  const opened = new Map<string, { sealed: readonly string[]; keys: string[]; fault: string | undefined }>()

  function openedOf(provider: string, sealed: readonly string[]) {
    const known = opened.get(provider)
    if (known && known.sealed.length === sealed.length && known.sealed.every((one, i) => one === sealed[i])) return known
    const now = { sealed, ...open(provider, sealed) }
    opened.set(provider, now)
    if (now.fault) logger.error('a stored provider key cannot be opened', { provider, why: now.fault, remedy: REMEDY })
    return now
  }

  /** All or none: accounts are numbered, and a gap would give one the limits of another. */
  function open(provider: string, sealed: readonly string[]): { keys: string[]; fault: string | undefined } {
    try {
      const keys = sealed.map((one) => vault.open(provider, one))
      for (const key of keys) registerSecret(key)
      return { keys, fault: undefined }
    } catch (error) {
      if (error instanceof VaultError) return { keys: [], fault: error.message }
      throw error
    }
  }

  return {
    keysOf(provider) {
      const sealed = storedKeys(overrides(), provider.name)
      return sealed ? openedOf(provider.name, sealed).keys : settings.keysOf(provider)
    },
    faultOf(provider) {
      const sealed = storedKeys(overrides(), provider)
      return sealed && openedOf(provider, sealed).fault
    },
  }
}
