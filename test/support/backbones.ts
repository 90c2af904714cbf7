// The two adapters of the bus, each with a way to connect, to break the broker and to bring it back,
// so that one suite can hold both to the same rules.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backbone } from '#contracts/bus.ts'
import { openMemoryBroker } from '#services/bus/memory.ts'
import { connectNats } from '#services/bus/nats.ts'
import { startTestNats } from './nats.ts'

export interface Harness {
  connect(name: string): Promise<Backbone>
  /** The broker is gone, for everybody; what it stored is not. */
  breakBroker(): Promise<void>
  restoreBroker(): Promise<void>
  close(): Promise<void>
}

export async function openMemoryHarness(): Promise<Harness> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-bus-'))
  const broker = await openMemoryBroker({ file: join(dir, 'bus.db') })
  const open: Backbone[] = []
  return {
    async connect(name) {
      const backbone = broker.connect(name)
      open.push(backbone)
      return backbone
    },
    async breakBroker() {
      for (const backbone of open) broker.faults(backbone).disconnect()
    },
    async restoreBroker() {
      for (const backbone of open) broker.faults(backbone).reconnect()
    },
    async close() {
      await broker.close()
      await rm(dir, { recursive: true })
    },
  }
}

export async function openNatsHarness(binary: string): Promise<Harness> {
  const server = await startTestNats(binary)
  const open: Backbone[] = []
  let count = 0
  return {
    async connect(name) {
      const backbone = await connectNats({ servers: server.url, role: name, instance: `t${++count}` })
      open.push(backbone)
      return backbone
    },
    breakBroker: () => server.kill('SIGKILL'),
    restoreBroker: () => server.restart(),
    async close() {
      await Promise.all(open.map((backbone) => backbone.close()))
      await server.stop()
    },
  }
}
