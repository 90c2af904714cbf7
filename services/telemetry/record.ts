// Pure. A stored request, read: what its facts say together. The ingress' word wins over the worker's, an end that was told over
// one that was found out.

import type { AttemptEntry, RequestEntry } from '#contracts/question.ts'
import type { Fields, Parts } from './merge.ts'

export interface RequestRecord {
  id: string
  first: number
  parts: Parts
}

export function endOf(parts: Parts): Fields | undefined {
  return parts.end ?? parts.reaped
}

export function entryOf({ id, first, parts }: RequestRecord): RequestEntry {
  const end = endOf(parts)
  const { start } = parts
  const attempts = attemptsOf(parts)
  const sum = (field: 'tokens_in' | 'tokens_out') => attempts.reduce((total, attempt) => total + attempt[field], 0)
  return {
    id,
    started_at: number(start?.at) ?? first,
    ended_at: number(end?.at),
    client: text(end?.client) ?? text(start?.client),
    format: text(end?.format) ?? text(start?.format),
    stream: flag(start?.stream) ?? flag(end?.stream),
    asked_model: text(end?.asked) ?? text(start?.model),
    strategy: text(end?.strategy),
    provider: text(end?.provider) ?? attempts.at(-1)?.provider ?? null,
    model: text(end?.model) ?? attempts.at(-1)?.model ?? null,
    outcome: text(end?.outcome) ?? 'open',
    unconfirmed: parts.end === undefined && parts.reaped !== undefined,
    status: number(end?.status),
    error: text(end?.error),
    duration_ms: number(end?.duration_ms),
    ttfb_ms: number(end?.ttfb_ms) ?? attempts.at(-1)?.ttfb_ms ?? null,
    // The request's own word on its tokens wins; where it has not ended, its attempts are counted.
    tokens_in: number(end?.in) ?? sum('tokens_in'),
    tokens_out: number(end?.out) ?? sum('tokens_out'),
    trace_id: text(end?.trace) ?? text(start?.trace),
    attempts,
  }
}

function attemptsOf(parts: Parts): AttemptEntry[] {
  const numbers = new Set<number>()
  for (const place of Object.keys(parts)) if (place.startsWith('attempts.')) numbers.add(Number(place.split('.')[1]))
  return [...numbers].sort((a, b) => a - b).map((n) => attemptOf(parts, n))
}

function attemptOf(parts: Parts, n: number): AttemptEntry {
  const granted = parts[`attempts.${n}.granted`]
  const end = parts[`attempts.${n}.ingress`] ?? parts[`attempts.${n}.worker`]
  return {
    n,
    provider: text(end?.provider) ?? text(granted?.provider),
    model: text(end?.model),
    worker: text(granted?.worker) ?? text(end?.worker),
    result: text(end?.result),
    granted_at: number(granted?.at) ?? number(end?.granted_at),
    ended_at: number(end?.at),
    duration_ms: number(end?.duration_ms),
    ttfb_ms: number(end?.ttfb_ms),
    tokens_in: number(end?.in) ?? 0,
    tokens_out: number(end?.out) ?? 0,
  }
}

type Value = Fields[string]
const text = (value: Value): string | null => (typeof value === 'string' ? value : null)
const number = (value: Value): number | null => (typeof value === 'number' ? value : null)
const flag = (value: Value): boolean | null => (typeof value === 'boolean' ? value : null)
