// Ingresses in this process, on one bus, without any router: whoever is admitted is told 503 that there is none.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { buckets, catalogKey } from '#contracts/subjects.ts'
import { type Ingress, startIngress } from '#services/ingress/ingress.ts'
import { createLogger } from '#services/logger.ts'
import { openOutbox } from '#services/outbox.ts'
import { loadSettings } from '#services/settings.ts'
import { createVault } from '#services/vault.ts'
import { type Harness, openMemoryHarness } from './backbones.ts'

export const ADMIN_TOKEN = 'Zk3vQ9xR7mW2pL5tN8bH'
/** Of a request that was let in. */
export const ADMITTED = 503

export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests say what they expect of it
  body: any
}

export interface IngressWorld {
  /** What all of them have logged. */
  readonly lines: string[]
  /** Every bucket of the bus, as text. */
  stored(): Promise<string>
  /** The bus is gone, for all of them, until the returned function is called. */
  cutOff(): Promise<() => Promise<void>>
  start(env?: Record<string, string>, config?: object): Promise<Ingress>
  [Symbol.asyncDispose](): Promise<void>
}

export async function openIngressWorld(openBus: () => Promise<Harness> = openMemoryHarness): Promise<IngressWorld> {
  const stack = new AsyncDisposableStack()
  const bus = await openBus()
  stack.defer(() => bus.close())
  const config = await (await bus.connect('router')).keyValue(buckets.config)
  const models = [
    { id: 'open', model_id: 1 },
    { id: 'locked', model_id: 2, tier: 'verified' },
  ]
  const alpha = { name: 'alpha', base_url: 'http://127.0.0.1:1/v1', configured: true, models }
  await config.put(catalogKey, new TextEncoder().encode(JSON.stringify(catalogSchema.parse({ providers: [alpha], aliases: [] }))))
  const lines: string[] = []
  let count = 0
  return {
    lines,
    async stored() {
      let text = ''
      for (const bucket of Object.values(buckets)) {
        const watch = await (await (await bus.connect('router')).keyValue(bucket)).watch('>', ({ key, value }) => {
          text += `${key} ${new TextDecoder().decode(value)}\n`
        })
        watch.unsubscribe()
      }
      return text
    },
    async cutOff() {
      await bus.breakBroker()
      return () => bus.restoreBroker()
    },
    async start(env = {}, config = {}) {
      const dir = await mkdtemp(join(tmpdir(), 'freeway-ingress-'))
      stack.defer(() => rm(dir, { recursive: true }))
      await writeFile(join(dir, 'freeway.json'), JSON.stringify(config))
      const backbone = await bus.connect('ingress')
      const instance = `ingress-${++count}`
      const settings = loadSettings({ PORT: '0', ...env }, dir)
      const outbox = openOutbox({ events: backbone.events, role: 'ingress', instance })
      stack.defer(() => outbox.close())
      const logger = createLogger({ service: 'ingress', level: 'debug', write: (line) => void lines.push(line) })
      const adminToken = ADMIN_TOKEN
      const vault = createVault(adminToken)
      const ingress = await startIngress({ backbone, settings, vault, logger, instance, outbox, adminToken, version: '0.0.0' })
      stack.defer(() => ingress.close())
      return ingress
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

export async function call(
  url: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, headers: response.headers, body: await response.json() }
}

export const asAdmin = { 'x-admin-token': ADMIN_TOKEN }
export const bearer = (key: string) => ({ authorization: `Bearer ${key}` })
export const chat = (url: string, key: string, model = 'alpha/open') =>
  call(url, 'POST', '/v1/chat/completions', { model, messages: [{ role: 'user', content: 'hello' }] }, bearer(key))
