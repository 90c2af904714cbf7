import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { checkHealth } from './health-check.ts'
import { loadSettings } from './settings.ts'

let server: Server | undefined
afterEach(() => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())))

async function answering(status: number, body: object): Promise<string> {
  server = createServer((_, response) => response.writeHead(status).end(JSON.stringify(body)))
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
  return String((server.address() as AddressInfo).port)
}

test('a process that is ready is healthy, asked on its operations port where it has one', async () => {
  const port = await answering(200, { status: 'ok', missing: [] })
  await checkHealth(loadSettings({ PORT: port }, tmpdir()))
  await checkHealth(loadSettings({ PORT: '1', METRICS_PORT: port }, tmpdir()))
  await checkHealth(loadSettings({ HOST: '0.0.0.0', PORT: port }, tmpdir()))
})

test('what is missing is said, and so is that nobody listens', async () => {
  const port = await answering(503, { status: 'not_ready', missing: ['bus', 'router'] })
  await expect(checkHealth(loadSettings({ PORT: port }, tmpdir()))).rejects.toThrow('missing: bus, router')
  await new Promise((resolve) => server?.close(resolve))
  await expect(checkHealth(loadSettings({ PORT: port }, tmpdir()))).rejects.toThrow('does not answer (ECONNREFUSED)')
})
