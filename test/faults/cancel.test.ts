// A client that leaves takes its upstream call with it: F1, rows 1-4 of the failure catalogue, B01-B03.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openChat } from '#test/support/chat.ts'
import { expectInvariants, facts } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

/** The figure to reach is 20. Shorter than the 500 ms after which a beat would find out, so it proves the message. */
const BOUND_MS = 400

let stack: Stack
beforeAll(async () => {
  stack = await startStack()
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

describe.each([
  { name: 'streamed', stream: true },
  { name: 'not streamed', stream: false },
])('$name', ({ stream }) => {
  it('a client that leaves before the first byte ends the upstream call at once', async () => {
    stack.simulator.setFault({}, { stall: 'head' })
    await leaveOnce(stream, async () => {})
  })

  it('a client that leaves after the status line of the provider ends the upstream call at once', async () => {
    stack.simulator.setFault({}, stream ? { chunks: 1000, size: 24, tps: 50 } : { stall: 0 })
    await leaveOnce(stream, async (chat) => {
      if (stream) await chat.untilText(72)
      else await until('the status line is out', () => stack.simulator.calls.at(-1)?.status === 200)
    })
  })

  it('ten clients that leave one after the other leave nothing behind', async () => {
    stack.simulator.setFault({}, stream ? { chunks: 1000, size: 24, tps: 100 } : { stall: 0 })
    const latencies: number[] = []
    for (let i = 0; i < 10; i++) latencies.push(await leave(stream, (chat) => (stream ? chat.untilText(24) : Promise.resolve())))
    report(`cancel, ten times, ${stream ? 'streamed' : 'not streamed'}`, Math.max(...latencies))
    await expectInvariants(stack, [], { whole: longText() })
  })
})

async function leaveOnce(stream: boolean, when: (chat: ReturnType<typeof openChat>) => Promise<void>): Promise<void> {
  const latencyMs = await leave(stream, when)
  report(`cancel, ${stream ? 'streamed' : 'not streamed'}`, latencyMs)
  expect(latencyMs).toBeLessThan(BOUND_MS)
  await expectInvariants(stack, [])
  expect(facts(stack, 'req.end').map(({ outcome }) => outcome)).toEqual(['client_canceled'])
}

/** From hanging up to the close of the provider's socket, in ms. */
async function leave(stream: boolean, when: (chat: ReturnType<typeof openChat>) => Promise<void>): Promise<number> {
  const chat = openChat(stack.url, { stream })
  const call = await stack.simulator.waitFor(
    ({ body, closedAt }) => JSON.stringify(body ?? '').includes(chat.marker) && closedAt === undefined,
  )
  await when(chat)
  const leftMs = performance.now()
  chat.hangUp()
  await stack.simulator.waitFor((one) => one === call && one.closedAt !== undefined)
  expect(call).toMatchObject({ closedBy: 'peer', completed: false })
  return performance.now() - leftMs
}

function longText(): string {
  return Array.from({ length: 1000 }, (_, i) => `${i} `.padEnd(24, 'x')).join('')
}
