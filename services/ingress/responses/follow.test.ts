import { afterAll, beforeAll, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { buckets, responseKeys } from '#contracts/subjects.ts'
import { type Harness, openMemoryHarness } from '#test/support/backbones.ts'
import { follow } from './follow.ts'
import { openResponseStore } from './store.ts'

let harness: Harness
beforeAll(async () => {
  harness = await openMemoryHarness()
})
afterAll(() => harness?.close())

const event = (sequence_number: number) =>
  `event: response.in_progress\ndata: ${JSON.stringify({ type: 'response.in_progress', sequence_number })}\n\n`

it('what ended in the midst of an event ends all the same, with its last events', async () => {
  const backbone = await harness.connect('ingress')
  const store = openResponseStore(await backbone.keyValue(buckets.responses))
  const id = 'resp_AAAAAAAAAAAAAAAAAAAAAA'
  const response = { id, status: 'failed', output: [], error: { code: 'server_error', message: 'it died' } }
  const head = { v: 1 as const, owner: 'nobody', background: true, over: true, events: 1, sequence: 2 }
  await store.save(id, head, { response, items: [], context: [] }, 0, 'a')
  await store.keyValue.put(responseKeys.events(id, 0), utf8(event(0) + event(1) + event(2).slice(0, 40)))
  const watcher = { look: async (_: string, kept: Awaited<ReturnType<typeof store.load>> & object) => kept, cancel: () => Promise.reject() }
  const text = await new Response(follow(id, 0, { store, watcher })).text()
  expect(text.split('\n\n').map((one) => one.split('\n')[0])).toEqual([
    'event: response.in_progress',
    'event: error',
    'event: response.failed',
    'data: [DONE]',
    '',
  ])
})
