// Pure. Servers of models that people run on their own machine: where to ask for them, and what their answers mean.

import type { Model, Provider } from '#contracts/catalog.ts'
import { model as modelSchema, provider as providerSchema } from '#contracts/catalog.ts'
import type { Settings } from '#services/settings.ts'

export interface LocalServer {
  name: string
  /** Without a path, e.g. `http://127.0.0.1:11434`. */
  origin: string
  /** Of its OpenAI-compatible interface. */
  baseUrl: string
  /** How it tells its models. */
  list: 'ollama' | 'openai'
  key: string | undefined
  /** The shipped row whose habits it has. */
  like: Provider
  display_name: string
  /** Tokens that fit in, whatever the model could take. */
  contextLimit: number | undefined
}

const usual = [
  { name: 'ollama', display_name: 'Ollama (local)', port: 11_434, list: 'ollama' },
  { name: 'llamacpp', display_name: 'llama.cpp (local)', port: 8_080, list: 'openai' },
  { name: 'lmstudio', display_name: 'LM Studio (local)', port: 1_234, list: 'openai' },
  { name: 'vllm', display_name: 'vLLM (local)', port: 8_000, list: 'openai' },
] as const
export type LocalName = (typeof usual)[number]['name']

/** What Ollama reads of a prompt unless it was started with another number: the rest is cut off without a word. */
const OLLAMA_CONTEXT = 4_096

type LocalSettings = Pick<Settings, 'local' | 'providers' | 'keysOf' | 'port'>

/**
 * The servers to be asked: all of the usual ones if FREEWAY_LOCAL says so, and the one of CUSTOM_BASE_URL.
 * One that freeway.json describes with a list of models, or switches off, is not asked.
 */
export function serversToAsk(settings: LocalSettings, shipped: readonly Provider[], alone: boolean): LocalServer[] {
  const { mode, hosts, customBaseUrl, ollamaContext } = settings.local
  const custom = shipped.find(({ name }) => name === 'custom')
  if (mode === 'off' || !custom) return []
  const servers: LocalServer[] = []
  const add = (name: string, address: string, entry: Pick<LocalServer, 'list' | 'display_name' | 'contextLimit'>) => {
    const own = settings.providers[name]
    if (own?.enabled === false || Array.isArray(own?.models)) return
    const baseUrl = (own?.base_url ?? address).replace(/\/+$/, '')
    const { origin, port } = new URL(baseUrl)
    if (isThisGateway(port, settings.port)) return
    const like = { ...(shipped.find((provider) => provider.name === name) ?? custom), name, env: envOf(name, shipped) }
    servers.push({ name, origin, baseUrl, key: settings.keysOf(like)[0], like, ...entry })
  }
  if (mode === 'on' || alone) {
    for (const { name, port, ...entry } of usual) {
      const contextLimit = name === 'ollama' ? (ollamaContext ?? OLLAMA_CONTEXT) : undefined
      add(name, `${originOf(hosts[name], port)}/v1`, { ...entry, contextLimit })
    }
  }
  if (customBaseUrl)
    add('custom', customBaseUrl, { list: 'openai', display_name: custom.display_name ?? 'custom', contextLimit: undefined })
  return servers
}

function envOf(name: string, shipped: readonly Provider[]): string[] {
  return shipped.find((provider) => provider.name === name)?.env ?? []
}

/** A gateway that listens where a server of models usually does would find itself. */
function isThisGateway(port: string, ownPort: number): boolean {
  return ownPort !== 0 && Number(port) === ownPort
}

/** `host`, `host:port`, `:port` or an address; one that servers listen on everywhere is asked on loopback. Throws nothing: what is no address is ignored. */
export function originOf(text: string | undefined, port: number): string {
  const usualOrigin = `http://127.0.0.1:${port}`
  const written = text?.trim()
  if (!written) return usualOrigin
  const address = /^https?:\/\//.test(written) ? written : `http://${written.startsWith(':') ? `127.0.0.1${written}` : written}`
  if (!URL.canParse(address)) return usualOrigin
  const url = new URL(address)
  if (!/:\d+\/?$/.test(address) && !/^https?:\/\//.test(written)) url.port = String(port)
  if (url.hostname === '0.0.0.0' || url.hostname === '[::]') url.hostname = '127.0.0.1'
  return url.origin
}

/**
 * `models`: as the server told them; one that it lists several times, as a proxy does for each place it has, is one. The shipped row of
 * the same name knows more of some. Throws if they make no provider.
 */
export function localProvider({ name, display_name, baseUrl, like }: LocalServer, models: readonly Model[]): Provider {
  const known = new Map(like.models.map((model) => [model.id, model]))
  const told = new Map(models.map((model) => [model.id, model]))
  return providerSchema.parse({
    ...like,
    name,
    display_name,
    status: 'local',
    terms: 'Your own server.',
    base_url: baseUrl,
    needs_key: false,
    enabled: true,
    // Behind the free tiers, which are mostly faster and cleverer; named, or when these are spent, it answers.
    weight: 0.5,
    max_concurrency: 4,
    // The first request loads the model.
    first_byte_ms: 120_000,
    stall_ms: 60_000,
    models: [...told.values()].map((model) => ({ ...model, ...facts(known.get(model.id)) })),
  })
}

function facts(known: Model | undefined): Partial<Model> {
  if (!known) return {}
  const { model_id, display_name, canonical, family, size_label, intelligence_rank, speed_rank, dimensions } = known
  return { model_id, display_name, canonical, family, size_label, intelligence_rank, speed_rank, dimensions }
}

/** `capabilities`: as Ollama calls them; undefined if it did not tell. */
export function ollamaModel(
  name: string,
  capabilities: readonly string[] | undefined,
  contextWindow: number | undefined,
  limit: number,
): Model {
  const words: Record<string, readonly string[]> = {
    completion: ['chat', 'json_schema'],
    tools: ['tools'],
    vision: ['vision'],
    thinking: ['reasoning'],
    embedding: ['embeddings'],
  }
  const told = (capabilities ?? []).flatMap((word) => words[word] ?? [])
  return modelSchema.parse({
    id: name.replace(/:latest$/, ''),
    capabilities: told.length > 0 ? told : guessed(name),
    context_window: Math.min(contextWindow ?? limit, limit),
    status: 'active',
  })
}

/** Throws if it is no list of models. A gateway like this one is none either: asking it for its own answers would never end. */
export function openaiModels(answer: unknown): Model[] {
  const { data } = answer as { data?: unknown }
  if (!Array.isArray(data)) throw new Error('no list of models')
  return data.flatMap((entry: unknown): Model[] => {
    const { id, owned_by } = (entry ?? {}) as { id?: unknown; owned_by?: unknown }
    if (owned_by === 'freeway') throw new Error('a gateway of this kind')
    if (typeof id !== 'string') return []
    const parsed = modelSchema.safeParse({ id, capabilities: guessed(id), context_window: contextOf(entry as object), status: 'active' })
    return parsed.success ? [parsed.data] : []
  })
}

/** llama.cpp and vLLM tell it, each in its own words; others do not. */
function contextOf(entry: object): number | undefined {
  const { max_model_len, context_length, max_context_length, meta } = entry as Record<string, unknown>
  const { n_ctx, n_ctx_train } = (meta ?? {}) as Record<string, unknown>
  return [max_model_len, n_ctx, n_ctx_train, context_length, max_context_length].find(
    (value): value is number => typeof value === 'number' && Number.isInteger(value) && value > 0,
  )
}

function guessed(name: string): string[] {
  if (/embed|\bbge-|\be5-|minilm/i.test(name)) return ['embeddings']
  const seeing = /vision|llava|[-_.]vl\b|[-_.]vl[-_.]|pixtral|gemma-?[34]/i.test(name) ? ['vision'] : []
  return ['chat', 'tools', 'json_schema', ...seeing]
}
