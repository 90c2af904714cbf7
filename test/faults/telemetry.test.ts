// Telemetry dies while facts come in, also between its write and the acknowledgement: rows 46 and 47.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { eventConsumer } from '#contracts/subjects.ts'
import { connectNats } from '#services/bus/nats.ts'
import { openSqliteStore } from '#services/telemetry/store/sqlite.ts'
import type { EventStore } from '#services/telemetry/store/store.ts'
import { countNaively, countStored } from '#test/support/corpus.ts'
import { expectInvariants } from '#test/support/invariants.ts'
import { natsBinaries } from '#test/support/nats.ts'
import { keepAsking } from '#test/support/requests.ts'
import { type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const KILLS = 20
const ALWAYS = [0, Number.MAX_SAFE_INTEGER] as const
/** Instead of half a minute. A consumer that is there is used as it is. */
const ACK_WAIT_MS = 1_500

let dir: string
let stack: Stack
let store: EventStore
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'freeway-telemetry-'))
  stack = await startStack({ env: { FREEWAY_DATA: dir } })
  store = openSqliteStore(join(dir, 'telemetry.db'))
  const backbone = await connectNats({ servers: stack.nats.url, role: 'telemetry', instance: 'first' })
  const options = { durable: eventConsumer, maxBatch: 1, maxWaitMs: 1, ackWaitMs: ACK_WAIT_MS }
  const consumer = await backbone.events.consume(options, async () => {})
  consumer.unsubscribe()
  await backbone.close()
})
afterAll(async () => {
  await store?.close()
  await stack?.[Symbol.asyncDispose]()
  await rm(dir, { recursive: true })
})

/** As analytics count: from the roll-ups of hours, and of minutes. */
async function rolledUp(span: 'minute' | 'hour'): Promise<number> {
  let calls = 0
  for await (const cells of store.cells(span, ...ALWAYS)) for (const cell of cells) calls += cell.calls
  return calls
}

it.skipIf(natsBinaries().length === 0)(
  'telemetry killed again and again while facts come in: every request counts exactly once',
  async () => {
    const asking = keepAsking(stack.url)
    // The next one starts while this one works: also two that write at the same time count nothing twice.
    let next = stack.start('telemetry')
    for (let kill = 0; kill < KILLS; kill++) {
      const telemetry = await next
      next = stack.start('telemetry')
      const before = await rolledUp('hour')
      await until('it counts', async () => (await rolledUp('hour')) > before, { timeoutMs: 10_000 })
      telemetry.kill('SIGKILL')
      await telemetry.exited
    }
    await next
    const replies = await asking.stop()
    await expectInvariants(stack, replies)
    const expected = countNaively(stack.facts, ...ALWAYS)
    expect(expected).toMatchObject({ requests: replies.length, byOutcome: { ok: replies.length } })
    await expect.poll(() => countStored(store, ...ALWAYS), { timeout: 15_000 }).toEqual(expected)
    expect([await rolledUp('minute'), await rolledUp('hour')]).toEqual([replies.length, replies.length])
  },
  120_000,
)
