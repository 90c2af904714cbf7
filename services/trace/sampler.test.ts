import { expect, it } from 'vitest'
import { isSampled, samplingRule } from './sampler.ts'

const low = '0af7651916cd43dd8400000000000001'
const high = '0af7651916cd43dd84ffffffffffffff'

it.each([
  [undefined, undefined, { ratio: 1, parentBased: true }],
  ['', '', { ratio: 1, parentBased: true }],
  [undefined, '0.1', { ratio: 0.1, parentBased: true }],
  ['parentbased_traceidratio', '0', { ratio: 0, parentBased: true }],
  ['traceidratio', '0.5', { ratio: 0.5, parentBased: false }],
  ['always_on', '0.5', { ratio: 1, parentBased: false }],
  ['always_off', undefined, { ratio: 0, parentBased: false }],
  ['parentbased_always_on', undefined, { ratio: 1, parentBased: true }],
  ['parentbased_always_off', undefined, { ratio: 0, parentBased: true }],
])('OTEL_TRACES_SAMPLER=%s with %s', (sampler, arg, rule) => {
  expect(samplingRule(sampler, arg)).toEqual(rule)
})

it.each([
  ['jaeger_remote', undefined, 'OTEL_TRACES_SAMPLER: expected one of always_on, '],
  ['toString', undefined, 'OTEL_TRACES_SAMPLER: '],
  [undefined, 'ten', 'OTEL_TRACES_SAMPLER_ARG: expected a share from 0 to 1'],
  [undefined, '10', 'OTEL_TRACES_SAMPLER_ARG: '],
  [undefined, '-0.1', 'OTEL_TRACES_SAMPLER_ARG: '],
])('refuses %s with %s by name', (sampler, arg, message) => {
  expect(() => samplingRule(sampler, arg)).toThrow(message)
})

it.each([
  [1, low, true],
  [0, high, false],
  [0.01, high, true],
  [0.99, low, false],
])('of all traces a share of %d: %s is among them: %s', (ratio, traceId, sampled) => {
  expect(isSampled({ ratio, parentBased: true }, traceId, undefined)).toBe(sampled)
})

it('a share is that share', () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => ((i * 2 ** 56) / 10_000).toString(16).split('.')[0]?.padStart(32, '0') ?? '')
  const sampled = ids.filter((id) => isSampled({ ratio: 0.1, parentBased: true }, id, undefined))
  expect(sampled.length).toBeGreaterThanOrEqual(998)
  expect(sampled.length).toBeLessThanOrEqual(1_002)
})

it.each([
  [true, true, low, 0, true],
  [true, false, high, 1, false],
  [false, true, low, 0, false],
  [false, false, high, 1, true],
])('the choice of the caller counts: %s; it chose %s', (parentBased, parentSampled, traceId, ratio, sampled) => {
  expect(isSampled({ ratio, parentBased }, traceId, parentSampled)).toBe(sampled)
})
