// Pure. The accounts of a provider, one for each key: where their calls go and how they show who they are.
// Which of them is used is the router's choice; here is only what it takes to use it.

import type { CatalogProvider } from '#contracts/catalog.ts'

export interface Account {
  /** Of every address below the provider's, without a slash at its end. */
  basePath: string
  headers: Record<string, string>
  /** The first part of a key that has two; else empty. */
  accountId: string
}

/**
 * By account, `groq-1` for the first key; empty if a key is needed and there is none. Where none is needed, one account calls without.
 * `keys` are as in `settings.keysOf`.
 */
export function accountsOf(provider: CatalogProvider, keys: readonly string[]): ReadonlyMap<string, Account> {
  if (keys.length === 0 && provider.needs_key) return new Map()
  const used: (string | undefined)[] = keys.length > 0 ? [...keys] : [provider.auth.anonymous]
  return new Map(used.map((key, i) => [`${provider.name}-${i + 1}`, accountOf(provider, key)]))
}

function accountOf(provider: CatalogProvider, key: string | undefined): Account {
  const { style, header, key_format: format } = provider.auth
  const colon = format === 'account_id:api_token' ? (key?.indexOf(':') ?? -1) : -1
  const accountId = key?.slice(0, Math.max(0, colon)) ?? ''
  const secret = key?.slice(colon + 1)
  const basePath = new URL(provider.base_url.replaceAll('{account_id}', encodeURIComponent(accountId))).pathname.replace(/\/$/, '')
  if (secret === undefined || style === 'none') return { basePath, accountId, headers: {} }
  return { basePath, accountId, headers: style === 'header' ? { [header.toLowerCase()]: secret } : { authorization: `Bearer ${secret}` } }
}
