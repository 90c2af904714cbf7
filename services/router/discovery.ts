// Asks servers of models on this machine for their lists, again and again: they are offered while they answer.

import type { Model, Provider } from '#contracts/catalog.ts'
import type { Alias, Known } from './build-catalog.ts'
import type { LocalServer } from './local-servers.ts'
import { localProvider, ollamaModel, openaiModels } from './local-servers.ts'

export interface Discovery {
  close(): Promise<void>
}

export interface DiscoveryOptions {
  servers: readonly LocalServer[]
  /** Told at first, and whenever what is found differs; never if nothing is ever found. */
  onChange(found: Known): void
  pollMs?: number
  /** How long a list may take. */
  timeoutMs?: number
}

/** A server that computes may be slow to answer; one that refuses the connection is gone. */
const MISSES = 3
const DETAILS_TIMEOUT_MS = 2_000

interface Watched {
  server: LocalServer
  provider: Provider | undefined
  misses: number
  /** Of Ollama, by name and digest: asked for once. */
  details: Map<string, Model>
}

/** Begins at once, and delays nobody. */
export function startDiscovery({ servers, onChange, pollMs = 30_000, timeoutMs = 300 }: DiscoveryOptions): Discovery {
  const watched = servers.map((server): Watched => ({ server, provider: undefined, misses: 0, details: new Map() }))
  const closing = new AbortController()
  let told = '[]'
  let timer: ReturnType<typeof setTimeout> | undefined

  async function round(): Promise<void> {
    await Promise.all(watched.map((one) => look(one, timeoutMs, closing.signal)))
    if (closing.signal.aborted) return
    const providers = watched.flatMap(({ provider }) => provider ?? [])
    const now = JSON.stringify(providers)
    if (now !== told) onChange({ providers, aliases: providers.flatMap(latestNames) })
    told = now
    timer = setTimeout(begin, pollMs)
  }

  let running: Promise<void>
  function begin(): void {
    running = round()
  }
  begin()

  return {
    async close() {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}

async function look(one: Watched, timeoutMs: number, closing: AbortSignal): Promise<void> {
  try {
    const models = await (one.server.list === 'ollama' ? ollamaList : openaiList)(one, timeoutMs, closing)
    one.provider = models.length > 0 ? localProvider(one.server, models) : undefined
    one.misses = 0
  } catch (error) {
    one.misses += isRefused(error) ? MISSES : 1
    if (one.misses >= MISSES) one.provider = undefined
  }
}

function isRefused(error: unknown): boolean {
  return ((error as Error).cause as { code?: string } | undefined)?.code === 'ECONNREFUSED'
}

async function openaiList({ server }: Watched, timeoutMs: number, closing: AbortSignal): Promise<Model[]> {
  return openaiModels(await ask(server, `${server.baseUrl}/models`, timeoutMs, closing))
}

async function ollamaList({ server, details }: Watched, timeoutMs: number, closing: AbortSignal): Promise<Model[]> {
  const { models } = (await ask(server, `${server.origin}/api/tags`, timeoutMs, closing)) as { models?: unknown }
  if (!Array.isArray(models)) throw new Error('no list of models')
  const list: Model[] = []
  for (const { name, digest } of models as { name?: unknown; digest?: unknown }[]) {
    if (typeof name !== 'string') continue
    const version = `${name} ${digest}`
    const model = details.get(version) ?? (await ollamaDetails(server, name, closing))
    if (model) details.set(version, model)
    // One that does not tell now, or is too old to tell, is taken for what its name says, and asked again.
    list.push(model ?? ollamaModel(name, undefined, undefined, limitOf(server)))
  }
  return list
}

async function ollamaDetails(server: LocalServer, name: string, closing: AbortSignal): Promise<Model | undefined> {
  const answer = await ask(server, `${server.origin}/api/show`, DETAILS_TIMEOUT_MS, closing, { model: name }).catch(
    () => undefined, // the list was answered: the model is there, whatever else is known of it
  )
  const { capabilities, model_info } = (answer ?? {}) as { capabilities?: unknown; model_info?: Record<string, unknown> }
  if (!Array.isArray(capabilities)) return undefined
  const context = Object.entries(model_info ?? {}).find(([field]) => field.endsWith('.context_length'))?.[1]
  return ollamaModel(name, capabilities, typeof context === 'number' ? context : undefined, limitOf(server))
}

function limitOf({ contextLimit }: LocalServer): number {
  return contextLimit ?? Number.MAX_SAFE_INTEGER
}

/** `body`: asked by POST. Throws if there is no answer in time, none with status 200, or none in JSON. */
async function ask({ key }: LocalServer, url: string, timeoutMs: number, closing: AbortSignal, body?: object): Promise<unknown> {
  const response = await fetch(url, {
    method: body ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) },
    body: body ? JSON.stringify(body) : null,
    redirect: 'error',
    signal: AbortSignal.any([closing, AbortSignal.timeout(timeoutMs)]),
  })
  if (!response.ok) {
    await response.body?.cancel()
    throw new Error(`status ${response.status}`)
  }
  return response.json()
}

/** Ollama takes both `llama3.2` and `llama3.2:latest`, and lists the longer one. */
function latestNames({ name, models }: Provider): Alias[] {
  if (name !== 'ollama') return []
  return models.filter(({ id }) => !id.includes(':')).map(({ id }): Alias => [`${name}/${id}:latest`, `${name}/${id}`])
}
