// A worker more carries more at once: with nothing configured, and nobody told of it.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { chat } from '#test/support/chat.ts'
import { report } from '#test/support/measured.ts'
import { type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

/** What one worker lets through at once, and how long each takes: 20 answers a second. */
const AT_ONCE = 4
const ANSWER_MS = 200
/** More than two workers take. */
const CLIENTS = 12
const WINDOW_MS = 1_000
const BOUND_MS = 2_000

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ workers: [['alpha']], providers: { alpha: { max_concurrency: AT_ONCE } } })
  stack.simulator.setFault({ model: 'm' }, { chunks: 1, size: 8, ttft: ANSWER_MS })
})
afterAll(() => stack?.[Symbol.asyncDispose]())

it('another worker of a provider raises its throughput within two seconds', async () => {
  const answeredAt: number[] = []
  let over = false
  const ask = async () => {
    // Who finds the worker full is told so after a second, and asks again.
    while (!over) if ((await chat(stack.url)).status === 200) answeredAt.push(performance.now())
  }
  const asking = Array.from({ length: CLIENTS }, ask)
  const within = (fromMs: number) => answeredAt.filter((at) => at >= fromMs && at < fromMs + WINDOW_MS).length
  const lately = () => within(performance.now() - WINDOW_MS)
  try {
    const began = performance.now()
    await until('one worker has carried all for a while', () => performance.now() - began > 2 * WINDOW_MS)
    const alone = lately()
    expect(alone).toBeGreaterThan(0)
    expect(alone).toBeLessThanOrEqual((AT_ONCE * WINDOW_MS) / ANSWER_MS + AT_ONCE)
    await stack.start('worker', ['alpha'])
    const joined = performance.now()
    await until('both carry half as much again', () => lately() >= 1.5 * alone, {
      timeoutMs: BOUND_MS,
      state: () => ({ alone, now: lately() }),
    })
    report(`throughput ${alone}/s with one worker; with two, half as much again after`, performance.now() - joined)
  } finally {
    over = true
    await Promise.all(asking)
  }
})
