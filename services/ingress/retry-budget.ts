// Pure. How many retries there may be, so that a provider in trouble is not called three times as often for it.
// Per client 10 % of its requests of the last minute, per provider 20 %, each at least 3 unless told otherwise (Google SRE, Envoy). What a retry has cost
// comes back when it succeeds: then there was somewhere to go, and no storm.

export interface RetryBudget {
  /** A request was handed to a provider for the first time. */
  called(client: string, provider: string, nowMs: number): void
  /** Whether there may be a retry after this provider has failed; if so, it is counted. */
  spend(client: string, provider: string, nowMs: number): boolean
  /** The retries of a request have led to an answer. */
  refund(client: string, providers: readonly string[], nowMs: number): void
}

interface Account {
  requests: number
  retries: number
  atMs: number
}

/** Counts fade with this time constant, which makes them those of about the last minute. */
const MINUTE_MS = 60_000
const MAX_ACCOUNTS = 10_000

/** Shares of the requests of the last minute; `at_least` so many retries, however few requests there are. */
export interface RetryBudgetOptions {
  client: number
  provider: number
  at_least: number
}

/** Times are of one clock, in ms. */
export function createRetryBudget({ client: clientShare, provider: providerShare, at_least: atLeast }: RetryBudgetOptions): RetryBudget {
  const clients = new Map<string, Account>()
  const providers = new Map<string, Account>()

  function accountOf(accounts: Map<string, Account>, name: string, nowMs: number): Account {
    let account = accounts.get(name)
    if (!account) {
      if (accounts.size >= MAX_ACCOUNTS) accounts.clear()
      account = { requests: 0, retries: 0, atMs: nowMs }
      accounts.set(name, account)
    }
    const faded = Math.exp(-Math.max(0, nowMs - account.atMs) / MINUTE_MS)
    account.requests *= faded
    account.retries *= faded
    account.atMs = nowMs
    return account
  }

  function isDry({ requests, retries }: Account, share: number): boolean {
    return retries + 1 > Math.max(atLeast, share * requests)
  }

  return {
    called(client, provider, nowMs) {
      accountOf(clients, client, nowMs).requests++
      accountOf(providers, provider, nowMs).requests++
    },
    spend(client, provider, nowMs) {
      const ofClient = accountOf(clients, client, nowMs)
      const ofProvider = accountOf(providers, provider, nowMs)
      if (isDry(ofClient, clientShare) || isDry(ofProvider, providerShare)) return false
      ofClient.retries++
      ofProvider.retries++
      return true
    },
    refund(client, failed, nowMs) {
      for (const provider of failed) {
        giveBack(accountOf(clients, client, nowMs))
        giveBack(accountOf(providers, provider, nowMs))
      }
    },
  }
}

function giveBack(account: Account): void {
  account.retries = Math.max(0, account.retries - 1)
}
