// Tries out the keys of a provider for its operator: by the address that the catalogue names for it, else by a chat of one token.
// What the provider says is told in our words. It is one call that no quota counts.

import type { CatalogProvider } from '#contracts/catalog.ts'
import type { KeyVerdict } from '#contracts/key-trial.ts'
import { type Dialect, dialectOf } from './dialect.ts'
import { createHabits } from './habits.ts'
import { type Account, accountsOf } from './keys.ts'
import { readRefusal } from './refusal.ts'
import { providerRequest } from './request.ts'
import { openUpstream, type UpstreamRequest } from './upstream.ts'

const TIMEOUT_MS = 15_000
const MAX_BODY_BYTES = 64 * 1024

/** `keys` are as in `settings.keysOf`. Never rejects. */
export async function tryKeys(provider: CatalogProvider, keys: readonly string[], timeoutMs = TIMEOUT_MS): Promise<KeyVerdict[]> {
  const accounts = [...accountsOf(provider, keys)]
  if (accounts.length === 0) return [verdict(`${provider.name}-1`, 'no_key', 0, 0)]
  return Promise.all(accounts.map(([name, account]) => tryKey(provider, name, account, timeoutMs)))
}

async function tryKey(provider: CatalogProvider, name: string, account: Account, timeoutMs: number): Promise<KeyVerdict> {
  const began = performance.now()
  let last: KeyVerdict | undefined
  for (const probe of probesOf(provider, account)) {
    const answer = await call(probe.origin, probe.request, timeoutMs)
    const latency = Math.round(performance.now() - began)
    last = typeof answer === 'string' ? verdict(name, answer, 0, latency) : judged(provider, name, probe, answer, latency)
    if (last.ok) return last
  }
  return last ?? verdict(name, 'unsupported', 0, 0)
}

interface Probe {
  origin: string
  request: UpstreamRequest
  /** It is a chat, so that a refusal may speak of the request instead of the key. */
  chat: boolean
}

interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

function probesOf(provider: CatalogProvider, account: Account): Probe[] {
  const { validate } = provider
  if (!validate || validate.path === '/chat/completions') return chatProbe(provider, account, dialectOf(provider))
  return [validate.path, ...(validate.alt ? [validate.alt] : [])].map((path) => {
    const { origin, pathname, search } = addressOf(provider, account, path)
    const headers = { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'freeway', ...account.headers }
    return { origin, request: { method: validate.method, path: pathname + search, headers, body: '' }, chat: false }
  })
}

function addressOf(provider: CatalogProvider, account: Account, path: string): URL {
  const filled = path.replaceAll('{account_id}', encodeURIComponent(account.accountId))
  return /^https?:/.test(filled) ? new URL(filled) : new URL(account.basePath + filled, new URL(provider.base_url).origin)
}

function chatProbe(provider: CatalogProvider, account: Account, dialect: Dialect | undefined): Probe[] {
  const { base_url, default_model, models } = provider
  const able = models.filter(({ enabled, capabilities }) => enabled && capabilities.includes('chat'))
  const model = able.find(({ id }) => id === default_model) ?? able[0]
  if (!model) return []
  const body = new TextEncoder().encode(JSON.stringify({ model: model.id, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 1 }))
  const request = providerRequest(account, createHabits(provider), { model: model.id, stream: false }, body, dialect)
  return [{ origin: new URL(base_url).origin, request, chat: true }]
}

/** `network` or `timeout` if there is no answer. */
async function call(origin: string, request: UpstreamRequest, timeoutMs: number): Promise<Answer | 'network' | 'timeout'> {
  const upstream = openUpstream(origin, 1)
  const { promise, resolve } = Promise.withResolvers<Answer | 'network' | 'timeout'>()
  const answer: Answer = { status: 0, headers: {}, body: '' }
  const decoder = new TextDecoder()
  const timer = setTimeout(() => resolve('timeout'), timeoutMs)
  const running = upstream.call(request, {
    onSend() {},
    onHeaders(status, headers) {
      Object.assign(answer, { status, headers })
    },
    onData(bytes) {
      if (answer.body.length < MAX_BODY_BYTES) answer.body += decoder.decode(bytes, { stream: true })
      else resolve(answer)
    },
    onEnd: () => resolve(answer),
    onError: () => resolve('network'),
  })
  const outcome = await promise
  clearTimeout(timer)
  running.abort()
  await upstream.close()
  return outcome
}

function judged(
  provider: CatalogProvider,
  account: string,
  { chat }: Probe,
  { status, headers, body }: Answer,
  latency: number,
): KeyVerdict {
  const { ok = [200], bad_key = [401, 403] } = provider.validate ?? {}
  if (chat ? status >= 200 && status < 300 && !body.trimStart().startsWith('{"error"') : ok.includes(status))
    return verdict(account, 'ok', status, latency)
  const { code } = readRefusal({ status, headers: lowerCase(headers), body, nowMs: Date.now() })
  // It speaks of the request, or of the model: so it has let the key in.
  const letIn = chat && (code === 'invalid_request' || code === 'model_not_found' || code === 'context_length')
  if (letIn) return { ...verdict(account, code, status, latency), ok: true }
  const refused = bad_key.includes(status) && (code === 'invalid_request' || code === 'server')
  return verdict(account, refused ? 'auth' : code, status, latency)
}

function lowerCase(headers: Answer['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value ?? ''].flat().join(', ')]))
}

export function verdict(account: string, code: KeyVerdict['code'], status: number, latency_ms: number): KeyVerdict {
  return { account, ok: code === 'ok' || code === 'rate_limited', code, status, message: words[code] ?? UNCLEAR, latency_ms }
}

const UNCLEAR = 'the provider refused the trial, which says nothing about the key'
const words: Partial<Record<KeyVerdict['code'], string>> = {
  ok: 'the provider takes the key',
  rate_limited: 'the provider knows the key, and its limit is reached at the moment',
  auth: 'the provider refuses the key: it is wrong, revoked, or not allowed to do this',
  payment: 'the provider knows the key, and its credit is spent or payment is required',
  blocked: 'the provider does not serve from here: a country, a network, or nobody any more',
  model_not_found: 'the provider takes the key, and does not know the model that was tried',
  invalid_request: 'the provider takes the key, and refused the trial request',
  context_length: 'the provider takes the key, and refused the trial request',
  network: 'the provider could not be reached',
  timeout: 'the provider did not answer in time',
  overloaded: 'the provider has no room at the moment; try again later',
  server: 'the provider failed; try again later',
  unsupported: 'there is no model of this provider to try the key with',
  no_key: 'there is no key',
  sealed: 'the stored key cannot be opened here',
}
