// Real nats-server processes for tests, on free ports, with their stores in folders that are removed afterwards.

import { execFileSync } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { type NatsServer, natsServers, startNatsServer } from '#services/bus/server.ts'

/** One binary for each version found on this machine. Says so on stderr when there is none. */
export function natsBinaries(): { name: string; binary: string }[] {
  const versions = new Map<string, string>()
  for (const binary of natsServers(process.env)) {
    const version = execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()
    if (!versions.has(version)) versions.set(version, binary)
  }
  if (versions.size === 0)
    process.stderr.write(
      '\nNO nats-server FOUND: everything that needs one is SKIPPED (apt install nats-server, or set NATS_SERVER_BIN)\n\n',
    )
  return [...versions].map(([name, binary]) => ({ name, binary }))
}

export async function startTestNats(binary?: string): Promise<NatsServer> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-nats-'))
  const server = await startNatsServer({ dir, binary })
  return {
    ...server,
    get pid() {
      return server.pid
    },
    async stop() {
      await server.stop()
      await rm(dir, { recursive: true })
    },
  }
}
