import { expect, test } from 'vitest'
import { readDirective, readFault } from './fault.ts'
import { FaultRules } from './fault-rules.ts'

test('a directive behind a model name is read with types, lists and headers', () => {
  expect(readDirective('sim/slow?ttft=200&tps=50&cut=head&omit=done,finish&blank=0&bom&header-retry-after=3&body=oh+no')).toEqual({
    ttft: 200,
    tps: 50,
    cut: 'head',
    omit: ['done', 'finish'],
    blank: false,
    bom: true,
    headers: { 'retry-after': '3' },
    body: 'oh no',
  })
  expect(readDirective('sim/plain')).toBeUndefined()
})

test.each([
  ['an unknown word', { ttf: 3 }, /ttf/],
  ['a wrong value', { tps: 'fast' }, /tps/],
  ['no object', 'slow', /simulator fault/],
])('%s is refused by name', (_, fault, message) => {
  expect(() => readFault(fault)).toThrow(message)
})

test('a rule for the model wins over a rule for all, the directive over both, the header over everything', () => {
  const rules = new FaultRules()
  rules.set({}, { status: 500, ttft: 1 })
  rules.set({ model: 'm' }, { status: 429 })
  expect(rules.take('other', undefined)).toEqual({ status: 500, ttft: 1 })
  expect(rules.take('m', undefined)).toEqual({ status: 429 })
  expect(rules.take('m?status=418&tps=5', '{"tps":7}')).toEqual({ status: 418, tps: 7 })
})

test('a rule lasts as many calls as it was given, and can be taken back', () => {
  const rules = new FaultRules()
  rules.set({ model: 'm' }, { status: 429 }, 2)
  expect([rules.take('m', undefined), rules.take('m', undefined), rules.take('m', undefined)]).toEqual([
    { status: 429 },
    { status: 429 },
    {},
  ])
  rules.set({}, { status: 500 })
  rules.set({}, undefined)
  expect(rules.take('m', undefined)).toEqual({})
})
