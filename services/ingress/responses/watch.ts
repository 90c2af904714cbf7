// Background responses as any replica sees them: whether their runner still lives, and how they end if it does not.

import { type Bus, NoResponders } from '#contracts/bus.ts'
import { concat } from '#contracts/bytes.ts'
import { decode, encode } from '#contracts/message.ts'
import { responseKeys, responses } from '#contracts/subjects.ts'
import { asFields } from '#contracts/wire/responses/shape.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import { answer } from './runs.ts'
import type { Body, Kept, ResponseStore } from './store.ts'

const ASK_MS = 1_000
/** Silence that counts as death: where nobody listens, and where somebody listens and does not answer (a frozen process). */
const GONE_MS = 1_000
const FROZEN_MS = 5_000

const DIED = { code: 'server_error', message: 'the gateway instance that worked on this response has ended' }

export interface Watcher {
  /** The response as it stands; one whose runner has died is ended by this look. */
  look(id: string, kept: Kept): Promise<Kept>
  /** Ends it, and resolves with how it ended. */
  cancel(id: string, kept: Kept): Promise<Kept>
}

export function createWatcher({ bus, store }: { bus: Bus; store: ResponseStore }): Watcher {
  /** Since when a runner has not answered, by response. */
  const silent = new Map<string, number>()

  async function ask(t: 'alive' | 'cancel', id: string, runner: string): Promise<'known' | 'unknown' | 'gone' | 'silent'> {
    try {
      const timeoutMs = t === 'cancel' ? 10 * ASK_MS : ASK_MS
      const reply = await bus.request(responses(runner), encode({ t, id }), { timeoutMs })
      return decode(answer, reply.data)?.message.known ? 'known' : 'unknown'
    } catch (error) {
      return error instanceof NoResponders ? 'gone' : 'silent'
    }
  }

  async function look(id: string, kept: Kept): Promise<Kept> {
    const { runner } = kept.head
    if (kept.head.over || runner === undefined) return kept
    const said = await ask('alive', id, runner)
    if (said === 'known') {
      silent.delete(id)
      return kept
    }
    if (said === 'unknown') {
      // It has ended in this moment; or it was forgotten, which must not happen.
      const now = await store.load(id)
      return now && !now.head.over ? await end(id, now, 'failed') : (now ?? kept)
    }
    // Whoever is cut off himself cannot tell who is dead.
    if (!bus.connected) {
      silent.delete(id)
      return kept
    }
    const nowMs = performance.now()
    const sinceMs = silent.get(id) ?? nowMs
    silent.set(id, sinceMs)
    if (nowMs - sinceMs < (said === 'gone' ? GONE_MS : FROZEN_MS)) return kept
    silent.delete(id)
    return await end(id, kept, 'failed')
  }

  async function cancel(id: string, kept: Kept): Promise<Kept> {
    const { runner } = kept.head
    if (kept.head.over || runner === undefined) return kept
    await ask('cancel', id, runner)
    const now = (await store.load(id)) ?? kept
    return now.head.over ? now : await end(id, now, 'cancelled')
  }

  /** In the runner's place. What it has told by now stands; what it may tell later does not count. */
  async function end(id: string, kept: Kept, status: 'failed' | 'cancelled'): Promise<Kept> {
    const told = await readEvents(id)
    const output = told.events.flatMap(({ type, item }) => (type === 'response.output_item.done' ? [asFields(item) ?? {}] : []))
    const started = asFields(told.events.find(({ type }) => type === 'response.in_progress')?.response)
    const error = status === 'failed' ? DIED : null
    const response = { ...kept.body.response, ...started, status, error, output } as Body['response']
    const head = { ...kept.head, over: true, events: told.parts, sequence: told.events.length }
    const body = { ...kept.body, response }
    const revision = await store.save(id, head, body, kept.revision, status === 'failed' ? 'f' : 'c')
    if (revision !== undefined) return { head, body, revision }
    return (await store.load(id)) ?? kept
  }

  async function readEvents(id: string): Promise<{ parts: number; events: Record<string, unknown>[] }> {
    const bytes: Uint8Array[] = []
    for (;;) {
      const part = await store.keyValue.get(responseKeys.events(id, bytes.length))
      if (!part?.value) break
      bytes.push(part.value)
    }
    const events: Record<string, unknown>[] = []
    const reader = new SseReader(({ data }) => events.push(JSON.parse(data)), { maxEventBytes: Number.POSITIVE_INFINITY })
    if (bytes.length > 0) reader.push(concat(bytes))
    return { parts: bytes.length, events }
  }

  return { look, cancel }
}
