// FerretDB: a server that speaks MongoDB's protocol and keeps everything in SQLite, which needs nothing else, or in a PostgreSQL
// of its own, which is fast enough to measure with. `.ci/run` builds it.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { MongoClient } from 'mongodb'
import { until } from './until.ts'

export interface Server {
  url: string
  stop(): Promise<void>
}

/** As `.ci/run` installs it; FERRETDB_BIN names another one. */
export function ferretdbBinary(): string | undefined {
  const found = [process.env.FERRETDB_BIN, join(homedir(), '.cache', 'freeway', 'ferretdb')]
  return found.find((path) => path && existsSync(path))
}

/** `storage`: a folder, or the address of a PostgreSQL. */
export async function startFerretdb(binary: string, storage: string): Promise<Server> {
  const port = await freePort()
  const stop = run(binary, [`127.0.0.1:${port}`, storage])
  const url = `mongodb://127.0.0.1:${port}/`
  await until('FerretDB answers', () => answers(url), { timeoutMs: 20_000 })
  return { url, stop }
}

/** Where the programs of the newest PostgreSQL are, as Debian has them. */
export function postgresPrograms(): string | undefined {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin')).find((path) => existsSync(join(path, 'initdb')))
}

/** With its own defaults, so what it has acknowledged is on the disk. */
export async function startPostgres(programs: string): Promise<Server> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-postgres-'))
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? { uid: idOf('-u'), gid: idOf('-g') } : {}
  if (user.uid !== undefined) chownSync(dir, user.uid, user.gid)
  const port = await freePort()
  execFileSync(join(programs, 'initdb'), ['-D', dir, '-U', 'freeway', '-A', 'trust', '-E', 'UTF8', '--locale=C'], {
    ...user,
    stdio: 'ignore',
  })
  const stop = run(join(programs, 'postgres'), ['-D', dir, '-p', String(port), '-k', '', '-c', 'listen_addresses=127.0.0.1'], user)
  const ready = () => {
    execFileSync(join(programs, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port), '-q'])
    return true
  }
  await until('PostgreSQL answers', async () => tried(ready), { timeoutMs: 20_000 })
  return {
    url: `postgres://freeway@127.0.0.1:${port}/postgres`,
    async stop() {
      await stop()
      await rm(dir, { recursive: true })
    },
  }
}

/** Of nobody, whom every system has. */
function idOf(which: '-u' | '-g'): number {
  return Number(execFileSync('id', [which, 'nobody'], { encoding: 'utf8' }))
}

function run(program: string, args: string[], user: { uid?: number; gid?: number } = {}): () => Promise<void> {
  const child = spawn(program, args, { stdio: 'ignore', ...user })
  const exited = once(child, 'exit')
  // Also when whoever started it ends in an error.
  process.once('exit', () => child.kill())
  return async () => {
    child.kill('SIGINT')
    await exited
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 500 })
  try {
    await client.db().command({ ping: 1 })
    return true
  } catch {
    // Not yet.
    return false
  } finally {
    await client.close()
  }
}

function tried(work: () => boolean): boolean {
  try {
    return work()
  } catch {
    // Not yet.
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}
