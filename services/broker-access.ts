// `freeway nats-config` and `freeway nats-setup`: a broker on which every service may do its own work and nothing else.

import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { BrokerRole } from '#contracts/permissions.ts'
import { brokerRoles, permissionsOf } from '#contracts/permissions.ts'
import { buckets, eventAckWaitMs, InvalidSubject } from '#contracts/subjects.ts'
import { brokerOf } from './backbones.ts'
import { createNatsUser, natsUserOf } from './bus/nats-users.ts'
import type { ServerConfig } from './bus/server-config.ts'
import { writeServerConfig, writeUsers } from './bus/server-config.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'
import { parsed } from './usage.ts'

const OWNER_ONLY = 0o600
const EVERY_OTHER = '*'

const options = {
  dir: { type: 'string', default: './nats' },
  listen: { type: 'string', default: '0.0.0.0:4222' },
  monitor: { type: 'string' },
  store: { type: 'string' },
  'server-version': { type: 'string', default: '2.12.5' },
  worker: { type: 'string', multiple: true, default: [] as string[] },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  'tls-ca': { type: 'string' },
  cluster: { type: 'string' },
  'server-name': { type: 'string' },
  'cluster-listen': { type: 'string', default: '0.0.0.0:6222' },
  route: { type: 'string', multiple: true, default: [] as string[] },
} as const

export interface BrokerFiles {
  /** The server's configuration. */
  config: string
  /** User → file with its seed. */
  seeds: ReadonlyMap<string, string>
}

/**
 * Writes `<dir>/nats.conf`, its part about users once more as `<dir>/users.conf` for servers that are configured otherwise, and one
 * seed for each user that has none yet: running it again changes permissions, never keys.
 * `--worker groq,gemini` (repeatable) gives such a worker a user of its own. One user, `worker`, serves all others: if nothing is said,
 * or for `--worker '*'`. Throws SettingsError for a wrong option.
 */
export async function writeBrokerFiles(args: string[]): Promise<BrokerFiles> {
  const values = parsed('nats-config', () => parseArgs({ args, options }).values)
  const dir = resolve(values.dir)
  await mkdir(join(dir, 'seeds'), { recursive: true, mode: 0o700 })
  const seeds = new Map<string, string>()
  const users: NonNullable<ServerConfig['users']>[number][] = []
  for (const { name, role, providers } of wanted(values.worker)) {
    const file = join(dir, 'seeds', `${name}.nk`)
    seeds.set(name, file)
    users.push({ name, publicKey: await publicKeyIn(file), permissions: permitted(role, providers) })
  }
  const systemFile = join(dir, 'seeds', 'system.nk')
  seeds.set('system', systemFile)
  const systemUser = await publicKeyIn(systemFile)
  const [host, port] = address('--listen', values.listen)
  const config = join(dir, 'nats.conf')
  const cert = values['tls-cert']
  const key = values['tls-key']
  if ((cert === undefined) !== (key === undefined)) throw new SettingsError('--tls-cert and --tls-key go together')
  const text = writeServerConfig({
    host,
    port,
    storeDir: values.store ?? join(dir, 'jetstream'),
    version: values['server-version'],
    users,
    systemUser,
    ...(values.monitor !== undefined && { monitor: values.monitor }),
    ...(cert !== undefined && key !== undefined && { tls: { cert, key, ca: values['tls-ca'] } }),
    ...(values.cluster !== undefined && {
      cluster: {
        name: values.cluster,
        server: values['server-name'] ?? 'nats-1',
        listen: values['cluster-listen'],
        routes: values.route,
      },
    }),
  })
  await writeFile(config, text)
  await writeFile(join(dir, 'users.conf'), writeUsers(users, systemUser))
  return { config, seeds }
}

/** What the operator does next. */
export function describeBrokerFiles({ config, seeds }: BrokerFiles): string {
  const width = Math.max(...[...seeds.keys()].map((name) => name.length))
  const lines = [...seeds].map(([name, file]) => `  ${name.padEnd(width)}  ${file}`)
  return `Broker configuration: ${config}

  nats-server -c ${config}

Seeds, one for each user; a service gets its own by NATS_NKEY_FILE (or NATS_NKEY_SEED):

${lines.join('\n')}

Once, before the services start:

  NATS_URL=nats://HOST:4222 NATS_NKEY_FILE=${seeds.get('setup') ?? ''} freeway nats-setup
`
}

/**
 * `freeway nats-setup [--replicas 3]`: creates stream, consumer and buckets as the user `setup`; what is there already stays, and gets the
 * copies that it lacks. Throws SettingsError without NATS_URL, and for copies that there is no room for.
 */
export async function setUpBroker(args: string[], settings: Settings, instance: string): Promise<void> {
  const copies = copiesOf(args)
  const broker = brokerOf(settings, 'setup', instance)
  const { setUpNats } = await import('./bus/nats-setup.ts')
  try {
    await setUpNats(broker, { buckets: Object.values(buckets), ackWaitMs: eventAckWaitMs, copies })
  } catch (error) {
    const advice = 'It needs the seed of the user "setup", and JetStream on as many servers as there are to be copies (--replicas)'
    throw new SettingsError(`nats-setup: ${(error as Error).message}. ${advice}`)
  }
}

function copiesOf(args: string[]): number | undefined {
  const { replicas } = parsed('nats-setup', () => parseArgs({ args, options: { replicas: { type: 'string' } } }).values)
  if (replicas === undefined) return undefined
  if (!/^[135]$/.test(replicas)) throw new SettingsError('nats-setup: --replicas: expected 1, 3 or 5')
  return Number(replicas)
}

function wanted(workers: readonly string[]): { name: string; role: BrokerRole; providers: string[] }[] {
  const others = brokerRoles.filter((role) => role !== 'worker').map((role) => ({ name: role, role, providers: [] }))
  if (workers.length === 0) return [...others, { name: 'worker', role: 'worker', providers: [] }]
  const own = workers.map((list) => {
    if (list === EVERY_OTHER) return { name: 'worker', role: 'worker' as const, providers: [] }
    const providers = list.split(',')
    return { name: `worker-${providers.join('-')}`, role: 'worker' as const, providers }
  })
  return [...others, ...own]
}

function permitted(role: BrokerRole, providers: string[]) {
  try {
    return permissionsOf(role, providers)
  } catch (error) {
    if (error instanceof InvalidSubject)
      throw new SettingsError('--worker: expected names of providers with commas between, e.g. groq,gemini')
    throw error
  }
}

async function publicKeyIn(file: string): Promise<string> {
  let seed: string
  try {
    seed = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const user = createNatsUser()
    await writeFile(file, `${user.seed}\n`, { mode: OWNER_ONLY })
    return user.publicKey
  }
  await chmod(file, OWNER_ONLY)
  try {
    return natsUserOf(seed).publicKey
  } catch {
    // What the library says quotes the text, which is a secret.
    throw new SettingsError(`${file}: holds no seed of a broker user; remove it to have a new one made`)
  }
}

function address(option: string, text: string): [host: string, port: number] {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || port === undefined) throw new SettingsError(`${option}: expected host:port, e.g. 0.0.0.0:4222`)
  return [host, Number(port)]
}
