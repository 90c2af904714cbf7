// Facts as an ingress tells them, made up.

import { Buffer } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import type { Event } from '#contracts/event.ts'

const WORKER = 'Qm9vdHN0cmFwSW5z'

/** Time, then chance, as the ingress makes them. */
export function requestId(): string {
  const id = Buffer.alloc(16, randomBytes(16))
  id.writeUIntBE(Date.now(), 0, 6)
  return id.toString('base64url')
}

/** What is told of a streamed request. */
export function startOf(request: string, i: number): Event {
  const at = Date.now()
  return {
    id: `${request}.0.req.start.ingress`,
    at,
    name: 'req.start',
    request,
    model: 'auto',
    stream: true,
    client: `client-${i % 20}`,
    format: 'chat/completions',
    granted: { n: 1, provider: `provider-${i % 6}`, worker: WORKER, at },
  }
}

export function endOf(request: string, i: number): Event {
  const at = Date.now()
  const times = { ttfb_ms: 210.251, duration_ms: 900.502 }
  const tokens = { in: 300, out: 200 }
  return {
    id: `${request}.0.req.end.ingress`,
    at,
    name: 'req.end',
    request,
    provider: `provider-${i % 6}`,
    model: `model-${i % 12}b`,
    outcome: i % 20 ? 'ok' : 'provider_error',
    status: 200,
    attempts: 1,
    ...tokens,
    ...times,
    client: `client-${i % 20}`,
    format: 'chat/completions',
    strategy: 'auto',
    asked: 'auto',
    stream: true,
    last: { n: 1, worker: WORKER, account: 'account-1', granted_at: at, result: 'ok', sent: true, ...tokens, ...times },
  }
}
