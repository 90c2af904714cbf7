// Every key is tried once at its provider, all at the same time; and servers of models on this machine are looked for.

import type { CatalogProvider } from '#contracts/catalog.ts'
import type { KeyVerdict } from '#contracts/key-trial.ts'
import { registerSecret } from '../redact.ts'
import { type LocalServer, openaiModels, serversToAsk } from '../router/local-servers.ts'
import type { Settings } from '../settings.ts'
import { tryKeys } from '../workers/key-trial.ts'
import type { KnownProviders } from './catalog.ts'
import { type Finding, fault, ok, warn } from './finding.ts'

const TRIAL_MS = 10_000
const LOCAL_MS = 1_000

export async function checkProviders(settings: Settings, { providers, shipped }: KnownProviders): Promise<Finding[]> {
  const servers = serversToAsk(settings, shipped, !settings.natsUrl)
  const found = await Promise.all([
    ...providers.map((provider) => checkKeys(provider, settings.keysOf(provider))),
    ...servers.map((server) => checkLocal(server, settings)),
  ])
  return found.flat()
}

async function checkKeys(provider: CatalogProvider, keys: readonly string[]): Promise<Finding[]> {
  for (const key of keys) registerSecret(key)
  return (await tryKeys(provider, keys, TRIAL_MS)).map((verdict) => judged(provider, verdict))
}

function judged(
  { base_url, status }: CatalogProvider,
  { account, ok: good, code, status: http, message, latency_ms }: KeyVerdict,
): Finding {
  const says = `${message} (${http > 0 ? `status ${http}, ` : ''}${latency_ms} ms)`
  if (good) return ok(account, says)
  switch (code) {
    case 'auth':
      return fault(account, says, 'make a new key there, and set it in its variable or in freeway.json')
    case 'payment':
      return fault(account, says, 'add credit there, or take the key out')
    case 'blocked':
      return fault(account, says, status === 'retired' ? 'take the key out' : 'call it from another network, or take the key out')
    case 'network':
      return fault(
        account,
        says,
        `let this machine reach ${new URL(base_url).host}; a firewall, a proxy or the network of a container may be in the way`,
      )
    case 'timeout':
      return fault(account, says, 'try again; if it stays so, a firewall may drop what goes there')
    default:
      return warn(account, says)
  }
}

/** Of those that nobody has named, only what is there is told. */
async function checkLocal({ name, display_name, origin, baseUrl, list, key }: LocalServer, { local }: Settings): Promise<Finding[]> {
  const url = list === 'ollama' ? `${origin}/api/tags` : `${baseUrl}/models`
  try {
    const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const answer = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(LOCAL_MS) })
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    const told = (await answer.json()) as { models?: unknown[] }
    const models = list === 'ollama' ? (told.models ?? []) : openaiModels(told)
    if (models.length === 0)
      return [warn(name, `${display_name} at ${origin} has no model`, list === 'ollama' ? 'ollama pull llama3.2' : 'load one there')]
    return [ok(name, `${display_name} at ${origin}: ${models.length} model${models.length === 1 ? '' : 's'}`)]
  } catch (error) {
    const wanted = name === 'custom' || local.hosts[name as keyof typeof local.hosts] !== undefined
    if (!wanted) return []
    return [fault(name, `${display_name} at ${origin} gives no list of models (${reasonOf(error)})`, 'start it, or correct its address')]
  }
}

function reasonOf(error: unknown): string {
  const { cause, message } = error as Error & { cause?: { code?: string } }
  return cause?.code ?? message
}
