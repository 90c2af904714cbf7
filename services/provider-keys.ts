// Pure. Which keys an operator has for a provider: those of freeway.json first, then those of its variables in their order.
// The order is the order of its accounts (`groq-1`, `groq-2`, …), so it must not change while the settings do not.

import type { Provider } from '#contracts/catalog.ts'

export type KeyedProvider = Pick<Provider, 'name' | 'env'> & { auth?: Pick<Provider['auth'], 'key_format'> }
type Environment = Readonly<Record<string, string | undefined>>

/**
 * A variable may hold several keys, separated by commas or white space, and so may `<VARIABLE>_2`, `<VARIABLE>_3` and so on.
 * `written`: as in freeway.json, each a key or `env:` and the name of a variable. Every key is there once. With the key format
 * `account_id:api_token`, each is both parts; a token alone takes its account from the variable whose name ends in `ACCOUNT_ID`,
 * and is left out if there is none.
 */
export function providerKeys(provider: KeyedProvider, written: readonly string[], env: Environment): string[] {
  const keys = [
    ...written.flatMap((entry) => (entry.startsWith('env:') ? heldBy(entry.slice('env:'.length), env) : split(entry))),
    ...provider.env.filter((variable) => !isNoKey(variable)).flatMap((variable) => heldBy(variable, env)),
  ]
  return [...new Set(provider.auth?.key_format === 'account_id:api_token' ? withAccounts(keys, provider, env) : keys)]
}

/** Addresses and account numbers are listed beside the keys, for they are set in the same place. */
function isNoKey(variable: string): boolean {
  return /_(?:HOST|URL|ACCOUNT_ID)$/.test(variable)
}

function heldBy(variable: string, env: Environment): string[] {
  const numbered = Object.keys(env)
    .filter((name) => name.startsWith(`${variable}_`) && /^\d{1,3}$/.test(name.slice(variable.length + 1)))
    .sort((a, b) => numberOf(a) - numberOf(b))
  return [variable, ...numbered].flatMap((name) => split(env[name] ?? ''))
}

function numberOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('_') + 1))
}

function split(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean)
}

/** The second token goes with the second account, if there are as many; else all go with the first. */
function withAccounts(keys: string[], provider: KeyedProvider, env: Environment): string[] {
  const accounts = provider.env.filter((variable) => variable.endsWith('_ACCOUNT_ID')).flatMap((variable) => heldBy(variable, env))
  const bare = keys.filter((key) => !key.includes(':'))
  return keys.flatMap((key) => {
    if (key.includes(':')) return [key]
    const account = accounts.length === bare.length ? accounts[bare.indexOf(key)] : accounts[0]
    return account === undefined ? [] : [`${account}:${key}`]
  })
}
