// How long after a client has left its stream the provider's connection is closed.

import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientKey } from './contestants.ts'
import { type Percentiles, percentiles } from './figures.ts'
import { ask, type Process } from './processes.ts'
import type { UpstreamCounts } from './upstream.ts'

const CANCELS = 40
/** A chunk every ten milliseconds for a second. */
const MODEL = 'c100d10'
const POLL_MS = 2
const GIVE_UP_MS = 3_000

/** In ms, of clients that leave one after the other. Throws if the provider goes on. */
export async function measureCancels(port: number, upstream: Process): Promise<Percentiles> {
  const body = JSON.stringify({ model: MODEL, stream: true, messages: [{ role: 'user', content: 'Hello' }] })
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${clientKey}\r\n`
  const request = `${head}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const tookMs: number[] = []
  for (let i = 0; i < CANCELS; i++) {
    const { length } = (await ask<UpstreamCounts>(upstream, {})).brokenAtMs
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.write(request)
    await once(socket, 'data')
    const leftAtMs = performance.timeOrigin + performance.now()
    socket.destroy()
    tookMs.push((await brokenAt(upstream, length, leftAtMs)) - leftAtMs)
  }
  return percentiles(tookMs)
}

async function brokenAt(upstream: Process, index: number, leftAtMs: number): Promise<number> {
  while (performance.timeOrigin + performance.now() - leftAtMs < GIVE_UP_MS) {
    const { brokenAtMs } = await ask<UpstreamCounts>(upstream, {})
    const at = brokenAtMs[index]
    if (at !== undefined) return at
    await sleep(POLL_MS)
  }
  throw new Error(`a client has left, and after ${GIVE_UP_MS} ms its provider is still called`)
}
