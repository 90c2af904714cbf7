import { describe, expect, it } from 'vitest'
import { createRetryBudget } from './retry-budget.ts'

const usual = { client: 0.1, provider: 0.2, at_least: 3 }

/** So many requests, one every `everyMs`, whose every attempt fails at the next of the providers: how many calls that makes. */
function storm(requests: number, everyMs: number, providers: string[], clients: string[]): number {
  const budget = createRetryBudget(usual)
  let calls = 0
  for (let i = 0; i < requests; i++) {
    const client = clients[i % clients.length] as string
    for (let granted = 1; granted <= 3; granted++) {
      const provider = providers[granted - 1] as string
      calls++
      if (granted === 1) budget.called(client, provider, i * everyMs)
      if (!budget.spend(client, provider, i * everyMs)) break
    }
  }
  return calls
}

describe('when every provider fails', () => {
  it.each([
    ['one client', ['c1']],
    ['many clients', Array.from({ length: 50 }, (_, i) => `c${i}`)],
  ])('calls are hardly more than requests: %s', (_, clients) => {
    const [a, b] = [storm(1_000, 50, ['p1', 'p2', 'p3'], clients), storm(2_000, 50, ['p1', 'p2', 'p3'], clients)]
    // Once the budgets are dry.
    expect((b - a) / 1_000).toBeLessThanOrEqual(1.2)
    expect(a / 1_000).toBeLessThanOrEqual(1.25)
  })

  it('a burst is not multiplied either', () => expect(storm(100, 0, ['p1', 'p2', 'p3'], ['c1', 'c2'])).toBeLessThanOrEqual(125))
})

describe('a budget', () => {
  it('always has three, also for a client of few requests', () => {
    const budget = createRetryBudget(usual)
    budget.called('c', 'p', 0)
    expect([1, 2, 3, 4].map(() => budget.spend('c', 'p', 0))).toEqual([true, true, true, false])
  })

  it('grows with the requests of the client and with those of the provider, whichever allows less', () => {
    const budget = createRetryBudget(usual)
    for (let i = 0; i < 100; i++) budget.called('c', 'p', 0)
    const allowed = Array.from({ length: 40 }, () => budget.spend('c', 'p', 0)).filter(Boolean)
    expect(allowed).toHaveLength(10)
    const others = Array.from({ length: 40 }, (_, i) => budget.spend(`d${i}`, 'p', 0)).filter(Boolean)
    expect(others).toHaveLength(10)
  })

  it('is renewed with time', () => {
    const budget = createRetryBudget(usual)
    for (let i = 0; i < 4; i++) budget.spend('c', 'p', 0)
    expect(budget.spend('c', 'p', 1_000)).toBe(false)
    expect(budget.spend('c', 'p', 60_000)).toBe(true)
  })

  it('gets back what has helped: a provider that is down while another answers costs nobody an answer', () => {
    const budget = createRetryBudget(usual)
    for (let i = 0; i < 100; i++) {
      budget.called('c', 'down', i)
      expect(budget.spend('c', 'down', i)).toBe(true)
      budget.refund('c', ['down'], i)
    }
  })

  it('of one client is not spent by another', () => {
    const budget = createRetryBudget(usual)
    for (let i = 0; i < 3; i++) budget.spend('greedy', `p${i}`, 0)
    expect(budget.spend('greedy', 'p4', 0)).toBe(false)
    expect(budget.spend('normal', 'p4', 0)).toBe(true)
  })
})
