// Which bus a process rides on: the in-process one, or NATS where it is named.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Backbone } from '#contracts/bus.ts'
import type { Role } from '#contracts/event.ts'
import type { NatsOptions } from './bus/nats.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

export interface Backbones {
  /** In words, for the banner. */
  name: string
  connect(role: Role): Promise<Backbone>
}

interface Owner {
  settings: Settings
  instance: string
  /** Closes what was opened. */
  stack: AsyncDisposableStack
}

/** For a process that holds every service. */
export async function openBackbones({ settings, instance, stack }: Owner): Promise<Backbones> {
  const { natsUrl } = settings
  if (natsUrl) {
    return { name: `NATS at ${withoutCredentials(natsUrl)}`, connect: (role) => connectedTo(settings, role, instance, stack) }
  }
  const { openMemoryBroker } = await import('./bus/memory.ts')
  const broker = await openMemoryBroker({ file: join(settings.dataDir, 'freeway.db') })
  stack.defer(() => broker.close())
  return { name: 'in-process (single process only)', connect: async (role) => broker.connect(role) }
}

/** For a service that is a process of its own. Throws SettingsError without NATS_URL. */
export async function connectAlone({ settings, instance, stack }: Owner, role: Role): Promise<Backbone> {
  if (settings.natsUrl) return connectedTo(settings, role, instance, stack)
  throw new SettingsError('NATS_URL is not set: a service of its own needs a broker, e.g. NATS_URL=nats://127.0.0.1:4222')
}

/** How this process reaches the broker, and proves who it is. Throws SettingsError without NATS_URL, or if a file cannot be read. */
export function brokerOf(settings: Settings, role: string, instance: string): NatsOptions {
  const { natsUrl, natsSeedFile, natsTls } = settings
  if (!natsUrl) throw new SettingsError('NATS_URL is not set: name the broker, e.g. NATS_URL=nats://127.0.0.1:4222')
  const nkeySeed = settings.secretOf('NATS_NKEY_SEED')?.trim() || (natsSeedFile && readSecret(natsSeedFile)) || undefined
  return { servers: natsUrl, role, instance, nkeySeed, ...natsTls }
}

function readSecret(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch (error) {
    throw new SettingsError(`NATS_NKEY_FILE: ${file} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

async function connectedTo(settings: Settings, role: Role, instance: string, stack: AsyncDisposableStack): Promise<Backbone> {
  const options = brokerOf(settings, role, instance)
  const { connectNats } = await import('./bus/nats.ts')
  const backbone = await connectNats(options)
  backbone.bus.onStatus((status) => {
    // The client gave up for good: a fresh process is the only way back.
    if (status === 'closed' && !stack.disposed) process.exit(1)
  })
  stack.defer(() => backbone.close())
  return backbone
}

/** For people to read. */
export function withoutCredentials(url: string): string {
  return url.replaceAll(/\/\/[^@/]*@/g, '//')
}
