// A catalogue and a job for tests of routing, of which only what matters has to be said.

import type { Submit } from '#contracts/attempt.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { catalog } from '#contracts/catalog.ts'
import type { AttemptOutcome } from '#contracts/settlement.ts'

export type Entry = Record<string, unknown> & { models?: Record<string, unknown>[] }

/** Every provider has a key and one model `m`, unless it says otherwise. */
export function catalogOf(providers: Record<string, Entry>, aliases: [string, string][] = []): Catalog {
  const entries = Object.entries(providers).map(([name, own]) => ({
    name,
    base_url: 'http://127.0.0.1:1/v1',
    configured: true,
    models: [{ id: 'm' }],
    ...own,
  }))
  return catalog.parse({ providers: entries, aliases })
}

/** A chat that leaves the choice to us and asks for nothing special. */
export function jobFor(change: Partial<Submit> = {}): Submit {
  return {
    v: 1,
    t: 'submit',
    id: 'r1',
    n: 1,
    ttl_ms: 60_000,
    kind: 'chat',
    stream: true,
    include_usage: false,
    fallback: true,
    billable_ok: true,
    need: { tools: false, vision: false, json: false, ctx: 100 },
    est: { in: 10, out: 90 },
    exclude: [],
    avoid: [],
    ...change,
  }
}

/** What an attempt at model `m` came to: all went well, as far as nothing else is said. */
export function outcomeOf(change: Partial<AttemptOutcome> = {}): AttemptOutcome {
  const called = { prov: 'a', account: 'a-1', model: 'm' }
  return { ...called, status: 200, phase: null, key_fault: false, retry_after_ms: null, ttfb_ms: null, ...change }
}
