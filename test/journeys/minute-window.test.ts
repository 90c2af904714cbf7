// The promise of waiting, in real minutes: a hundred requests at once into ten per minute, over several routers, against a provider
// that refuses the eleventh call within any 60 seconds. A file of its own, for it takes a minute and almost no work.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'

const LIMIT = 10
const ASKED = 100
const WAIT_S = 90
const MINUTE_MS = 60_000
/** What a use counts longer than its minute: the slice it is counted in, and the way to the provider. */
const MARGIN_MS = 2_000

let stack: Stack
beforeAll(async () => {
  const tight = { limits: [{ unit: 'requests' as const, max: LIMIT, per: 'minute' as const }], model: 'm-tight' }
  stack = await startStack({ ingress: 2, routers: 3, workers: [['tight'], ['tight']], providers: { tight } })
})
afterAll(() => stack?.[Symbol.asyncDispose]())

async function ask(i: number) {
  const { url } = stack.ingresses[i % stack.ingresses.length] as Service
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-freeway-max-wait': String(WAIT_S) },
    body: JSON.stringify({ model: 'm-tight', messages: [{ role: 'user', content: `question ${i}` }] }),
  })
  const body = (await response.json()) as { error?: { type: string } }
  return { status: response.status, type: body.error?.type, retryAfterS: Number(response.headers.get('retry-after')), atMs: Date.now() }
}

it('a hundred at once into ten per minute: two windows are answered, the provider refuses nobody, and every refusal names its time', async () => {
  stack.simulator.setFault({}, { chunks: 2, rpm: LIMIT })
  const answers = await Promise.all(Array.from({ length: ASKED }, (_, i) => ask(i)))
  const calls = stack.simulator.calls.filter(({ path }) => path.endsWith('/chat/completions'))
  const answered = answers.filter(({ status }) => status === 200)
  const refused = answers.filter(({ status }) => status !== 200)

  expect(calls.filter(({ status }) => status !== 200)).toEqual([])
  expect(answered).toHaveLength(calls.length)
  // The second window is opened by the first ten uses; what is left of the wait is too short for a third.
  expect(answered).toHaveLength(2 * LIMIT)

  const second = calls.map(({ receivedAt }) => receivedAt).sort((a, b) => a - b)[LIMIT] as number
  for (const { type, retryAfterS, atMs } of refused) {
    expect(type).toBe('rate_limit_error')
    // In whole seconds, rounded up: who comes then finds the window open, and not a second too late.
    const opensAtMs = second + MINUTE_MS
    expect(atMs + retryAfterS * 1_000).toBeGreaterThanOrEqual(opensAtMs - 50)
    expect(atMs + retryAfterS * 1_000).toBeLessThanOrEqual(opensAtMs + MARGIN_MS + 1_000 + 500)
  }
}, 120_000)
