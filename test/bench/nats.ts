// Finds the newest nats-server of the machine, and starts it.

import { execFile } from 'node:child_process'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, type Own, type Process, start } from './processes.ts'

export interface NatsServer {
  path: string
  version: string
}

/** Undefined if there is none. `NATS_SERVER_BIN` wins over what is found in the usual places. */
export async function findNatsServer(env: NodeJS.ProcessEnv = process.env): Promise<NatsServer | undefined> {
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/sbin', join(homedir(), 'go/bin')].filter(Boolean)
  const paths = env.NATS_SERVER_BIN ? [env.NATS_SERVER_BIN] : [...new Set(folders)].map((folder) => join(folder, 'nats-server'))
  const found = (await Promise.all(paths.map(version))).filter((server) => server !== undefined)
  return found.sort((a, b) => b.version.localeCompare(a.version, 'en', { numeric: true }))[0]
}

async function version(path: string): Promise<NatsServer | undefined> {
  try {
    const { stdout } = await promisify(execFile)(path, ['--version'])
    const version = /v?(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
    return version === undefined ? undefined : { path, version }
  } catch {
    return undefined // not there, or not for this machine
  }
}

export async function startNats({ path }: NatsServer, folder: string, own: Own): Promise<Process & { url: string }> {
  const port = await freePort()
  const args = ['--addr', '127.0.0.1', '--port', String(port), '--jetstream', '--store_dir', folder]
  const nats = await start({ name: 'nats', command: path, args, isReady: (line) => line.includes('Server is ready') }, own)
  return { ...nats, url: `nats://127.0.0.1:${port}` }
}
