// The operator's side of a process, on a port of its own: measurements for Prometheus and the probes of an orchestrator.
// Never on the address that clients reach.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import process from 'node:process'
import { gauge, startMetrics, total } from './metrics.ts'

export interface Operations {
  readonly url: string
  close(): Promise<void>
}

export interface OperationsOptions {
  host: string
  /** 0: any free port. */
  port: number
  service: string
  version: string
  /** What keeps the service from working, in words; empty when it is ready. */
  missing(): string[]
}

const NS_PER_S = 1e9
/** Of the sampling: what is measured is the time between two samples. */
const RESOLUTION_MS = 20

/** Rejects with the system's error, e.g. EADDRINUSE. */
export async function openOperations({ host, port, service, version, missing }: OperationsOptions): Promise<Operations> {
  const metrics = await startMetrics({ service, version })
  const stopWatching = watchProcess(service, version)
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return void response.writeHead(405, { allow: 'GET, HEAD' }).end()
    if (path === '/metrics') return metrics.handle(request, response)
    const faults = path === '/ready' ? missing() : []
    const known = path === '/health' || path === '/ready'
    const status = !known ? 404 : faults.length === 0 ? 200 : 503
    const said = !known
      ? { error: 'there are /metrics, /health and /ready' }
      : { status: faults.length === 0 ? 'ok' : 'not_ready', ...(path === '/ready' && { missing: faults }), service, version }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
  const { port: bound } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    async close() {
      stopWatching()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await metrics.stop()
    },
  }
}

/** What every process has: memory, CPU and how late its event loop is. */
function watchProcess(service: string, version: string): () => void {
  const lag = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  lag.enable()
  const ends = [
    gauge('freeway.info', { description: 'Always 1; the labels tell what runs.' }, () => [{ value: 1, labels: { service, version } }]),
    gauge('freeway.process.memory', { description: 'Resident memory.', unit: 'By' }, () => [{ value: process.memoryUsage.rss() }]),
    total('freeway.process.cpu', { description: 'CPU time used since the start, user and system.', unit: 's' }, () => {
      const { user, system } = process.cpuUsage()
      return [{ value: (user + system) / 1e6 }]
    }),
    gauge('freeway.event_loop.lag', { description: 'How late the event loop was since the last scrape: p50, p99, max.', unit: 's' }, () => {
      const readings = (
        [
          ['p50', lag.percentile(50)],
          ['p99', lag.percentile(99)],
          ['max', lag.max],
        ] as const
      ).map(([statistic, ns]) => ({
        value: lag.count === 0 ? 0 : Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1000),
        labels: { statistic },
      }))
      lag.reset()
      return readings
    }),
  ]
  return () => {
    lag.disable()
    for (const end of ends) end()
  }
}
