// Pure. A request whose end nobody told: its ingress was killed, or the fact never reached the log. What can be said of it follows
// from its record alone, so several may say it at the same time; when the end comes after all, it replaces this one.

import type { Event } from '#contracts/event.ts'
import type { Fields } from './merge.ts'
import { entryOf, type RequestRecord } from './record.ts'

/** Beyond the time that a request may take, before it is given up. */
export const GRACE_MS = 60_000

/**
 * `ok` where an attempt was told to have ended well: the worker sends its fact when everything has left it, so the client most
 * likely has it all (rows 11 and 12 of the failure catalogue). Everything else is `lost`.
 */
export function verdictOf(record: RequestRecord): Event {
  const { start } = record.parts
  const { started_at, client, format, stream, asked_model, trace_id, tokens_in, tokens_out, attempts: all } = entryOf(record)
  // A worker tells as well of what it was offered and nobody granted: of a request whose ingress died before, that is all there is.
  const attempts = all.filter(({ result }) => result !== 'expired' && result !== 'denied')
  const last = attempts.findLast(({ result }) => result === 'ok') ?? attempts.at(-1)
  const ok = last?.result === 'ok'
  const at = ok && last.ended_at !== null ? last.ended_at : lastHeardOf(record)
  return {
    id: `${record.id}.0.req.end.telemetry`,
    name: 'req.end',
    at,
    request: record.id,
    outcome: ok ? 'ok' : 'lost',
    status: ok ? 200 : 0,
    provider: last?.provider ?? null,
    model: last?.model ?? null,
    attempts: attempts.length,
    in: tokens_in,
    out: tokens_out,
    duration_ms: Math.max(0, at - started_at),
    ttfb_ms: last?.ttfb_ms ?? null,
    asked: asked_model,
    ...(client === null ? {} : { client }),
    ...(format === null ? {} : { format }),
    ...(stream === null ? {} : { stream }),
    ...(trace_id === null ? {} : { trace: trace_id }),
    ...(ok ? {} : { error: start ? 'lost' : 'start_unknown' }),
  }
}

function lastHeardOf({ first, parts }: RequestRecord): number {
  const times = Object.values(parts).map(({ at }: Fields) => (typeof at === 'number' ? at : 0))
  return Math.max(first, ...times)
}
