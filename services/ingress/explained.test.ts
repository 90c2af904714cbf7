import { describe, expect, it } from 'vitest'
import type { Account } from '#contracts/account.ts'
import type { Explained } from '#contracts/explained.ts'
import type { Caller } from './access/gate.ts'
import { explainedHeader, wantsExplanation } from './explained.ts'

const client = (roles?: string[]): Caller => ({
  kind: 'client',
  account: { id: 'c', name: 'n', key_hash: 'h', created_ms: 0, roles } as Account,
})

it.each<[string, Caller | undefined, string | undefined, boolean]>([
  ['an admin', { kind: 'admin' }, '1', true],
  ['the machine before there is a client', { kind: 'bootstrap' }, '1', true],
  ['a key with the role', client(['member', 'trace']), '1', true],
  ['a key without it', client(['member']), '1', false],
  ['a key without any', client(), '1', false],
  ['nobody', undefined, '1', false],
  ['an admin who does not ask', { kind: 'admin' }, undefined, false],
  ['an admin who asks not to', { kind: 'admin' }, '0', false],
])('%s is told or not', (_, caller, value, told) => {
  expect(wantsExplanation(new Headers(value === undefined ? {} : { 'x-freeway-trace': value }), caller)).toBe(told)
})

describe('the header', () => {
  const many = (count: number): Explained => ({
    strategy: 'auto',
    candidates: Array.from({ length: count }, (_, i) => ({
      provider: `p${i}`,
      account: `p${i}-1`,
      model: 'm'.repeat(30),
      score: i,
      parts: { speed: 1 },
    })),
    passed_over: Array.from({ length: count }, (_, i) => ({ provider: `q${i}`, why: 'has no key' })),
  })

  it('tells all where it fits', () => expect(JSON.parse(explainedHeader(many(3)))).toEqual(many(3)))

  it('keeps to 4 KB, tells those who came nearest, and how many are left out', () => {
    const text = explainedHeader(many(50))
    expect(text.length).toBeLessThanOrEqual(4_096)
    expect(text.length).toBeGreaterThan(3_500)
    const { candidates, passed_over, truncated } = JSON.parse(text)
    expect(candidates.map(({ provider }: { provider: string }) => provider)).toEqual(candidates.map((_: unknown, i: number) => `p${i}`))
    expect(truncated).toBe(100 - candidates.length - passed_over.length)
  })

  it('is ASCII whatever models are called', () => {
    const explained: Explained = { strategy: 'auto', candidates: [{ provider: 'p', model: 'модель\r\n😀', score: 1 }], passed_over: [] }
    const text = explainedHeader(explained)
    expect(text).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(text)).toEqual(explained)
  })

  it('keeps to 4 KB even with the longest names', () => {
    const explained: Explained = {
      strategy: 's'.repeat(5_000),
      candidates: [{ provider: 'p', model: 'm'.repeat(9_000), score: 1 }],
      passed_over: [],
    }
    expect(JSON.parse(explainedHeader(explained))).toMatchObject({ truncated: 1 })
  })
})
