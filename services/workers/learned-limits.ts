// What the headers of a provider's answers tell about its limits, told on to the routers when it is news to them.

import type { Provider } from '#contracts/catalog.ts'
import type { LearnedLimit, Unit, Window } from '#contracts/limit.ts'
import { type Headers, readReset } from './retry-after.ts'

export interface LimitReader {
  /** Undefined for the most part: what is far from its end is told now and then only. `of`: whose limits these are. */
  read(headers: Headers, of: string, nowMs: number): LearnedLimit[] | undefined
  /** All that the headers tell. */
  all(headers: Headers, nowMs: number): LearnedLimit[]
}

interface Meaning {
  unit: Unit
  kind: 'limit' | 'remaining' | 'reset'
  per: Window | undefined
  scope: LearnedLimit['scope']
  form: 'epoch_s' | 'epoch_ms' | undefined
}

const TOLD_AGAIN_MS = 30_000
/** A limit with so little left is told with every answer. */
const NEAR_ITS_END = 0.2
const MAX_NAMES = 256
const MAX_TOLD = 1_000

/** `limit_headers` of the catalogue say what is meant; other names are understood if they are spelled as is customary. */
export function createLimitReader({ limit_headers, limit_scope }: Pick<Provider, 'limit_headers' | 'limit_scope'>): LimitReader {
  const meanings = new Map<string, Meaning | undefined>(Object.entries(limit_headers).map(([name, meaning]) => [name, meaningOf(meaning)]))
  const toldMs = new Map<string, number>()
  const usualScope: LearnedLimit['scope'] = limit_scope === 'address' ? 'provider' : limit_scope

  function meaningFor(name: string): Meaning | undefined {
    if (!meanings.has(name) && meanings.size < MAX_NAMES) meanings.set(name, customary(name))
    return meanings.get(name)
  }

  function all(headers: Headers, nowMs: number): LearnedLimit[] {
    const limits: LearnedLimit[] = []
    for (const name in headers) {
      const meaning = meaningFor(name)
      const text = meaning && headers[name]
      if (meaning && text !== undefined) note(limits, meaning, String(Array.isArray(text) ? text[0] : text).trim(), usualScope, nowMs)
    }
    return limits.filter(({ max, remaining }) => max !== undefined || remaining !== undefined)
  }

  return {
    all,
    read(headers, of, nowMs) {
      const limits = all(headers, nowMs)
      if (limits.length === 0) return undefined
      const recently = nowMs - (toldMs.get(of) ?? Number.NEGATIVE_INFINITY) < TOLD_AGAIN_MS
      if (recently) {
        const near = limits.filter(({ max = 0, remaining }) => remaining !== undefined && remaining <= max * NEAR_ITS_END)
        return near.length > 0 ? near : undefined
      }
      if (toldMs.size >= MAX_TOLD) toldMs.clear()
      toldMs.set(of, nowMs)
      return limits
    },
  }
}

function note(limits: LearnedLimit[], meaning: Meaning, text: string, usualScope: LearnedLimit['scope'], nowMs: number): void {
  const { unit, kind, per, scope = usualScope } = meaning
  let limit = limits.find((known) => known.unit === unit && known.per === per && known.scope === scope)
  if (!limit) {
    limit = { unit, scope, ...(per !== undefined && { per }) }
    limits.push(limit)
  }
  if (kind === 'reset') {
    const resetMs = resetOf(text, meaning.form, nowMs)
    if (resetMs !== undefined) limit.reset_ms = resetMs
    return
  }
  const number = /^\d{1,15}(?:\.\d{1,9})?/.exec(text)?.[0]
  if (number !== undefined) limit[kind === 'limit' ? 'max' : 'remaining'] = Number(number)
}

function resetOf(text: string, form: Meaning['form'], nowMs: number): number | undefined {
  if (form === undefined) return readReset(text, nowMs)
  const at = Number(text) * (form === 'epoch_s' ? 1000 : 1)
  return Number.isFinite(at) ? Math.max(0, at - nowMs) : undefined
}

const WINDOWS: Record<string, Window> = {
  second: 'second',
  minute: 'minute',
  min: 'minute',
  hour: 'hour',
  '5h': '5h',
  day: 'day',
  daily: 'day',
  week: 'week',
  month: 'month',
  monthly: 'month',
}
const UNITS: Record<string, Unit> = {
  request: 'requests',
  requests: 'requests',
  req: 'requests',
  call: 'requests',
  calls: 'requests',
  token: 'tokens',
  tokens: 'tokens',
  neurons: 'neurons',
  images: 'images',
  credits: 'credits',
  audio_seconds: 'audio_seconds',
  concurrency: 'concurrency',
  concurrent: 'concurrency',
}

/** `<unit> limit|remaining|reset [window] [model|account] [form]`, in any order. */
function meaningOf(text: string): Meaning | undefined {
  const words = text.toLowerCase().split(/[^a-z0-9_]+/)
  const kind =
    words.find((word): word is Meaning['kind'] => word === 'remaining' || word === 'reset') ??
    (words.includes('limit') ? 'limit' : undefined)
  if (!kind) return undefined
  const pick = <T>(table: Record<string, T>) =>
    words.map((word) => (Object.hasOwn(table, word) ? table[word] : undefined)).find((found) => found !== undefined)
  return {
    unit: pick(UNITS) ?? 'requests',
    kind,
    per: pick(WINDOWS),
    scope: pick({ model: 'model', account: 'account', provider: 'provider' } as const),
    form: pick({ epoch_s: 'epoch_s', epoch_ms: 'epoch_ms' } as const),
  }
}

/** `x-ratelimit-remaining-tokens-minute`, `anthropic-ratelimit-requests-limit`, `ratelimit-reset`. */
function customary(name: string): Meaning | undefined {
  const plain = name.toLowerCase().replace('rate-limit', 'ratelimit')
  if (!plain.includes('ratelimit') || /input|output|policy/.test(plain)) return undefined
  return meaningOf(plain.replace('ratelimit', ' '))
}
