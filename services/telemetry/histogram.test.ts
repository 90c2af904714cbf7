import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bucketOf, mergeHistograms, openDistribution } from './histogram.ts'

const durations = fc.array(fc.double({ min: 1, max: 4_000_000, noNaN: true }), { minLength: 1, maxLength: 200 })

it('a quantile is within five percent of the exact one', () => {
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99), (times, q) => {
      const distribution = openDistribution()
      for (const ms of times) distribution.add([bucketOf(ms), 1])
      const exact = times.sort((a, b) => a - b)[Math.ceil(q * times.length) - 1] ?? 0
      // The whole width of a bucket, and the rounding.
      expect(Math.abs((distribution.quantile(q) ?? 0) - exact)).toBeLessThan(exact * 0.095 + 0.01)
    }),
  )
})

it('histograms add up to that of all', () => {
  fc.assert(
    fc.property(durations, durations, (some, others) => {
      const of = (times: number[]) => times.reduce<number[]>((sum, ms) => mergeHistograms(sum, [bucketOf(ms), 1]), [])
      expect(mergeHistograms(of(some), of(others))).toEqual(of([...some, ...others]))
    }),
  )
})

it('what is taken away again leaves nothing', () => {
  expect(mergeHistograms([3, 2, 9, 1], [3, -2, 9, -1])).toEqual([])
})

it('of nothing there is no quantile', () => {
  expect(openDistribution().quantile(0.5)).toBeNull()
})

it.each([0, 0.4, 1e12])('%s ms has a bucket', (ms) => {
  const distribution = openDistribution()
  distribution.add([bucketOf(ms), 1])
  expect(distribution.quantile(0.99)).toBeGreaterThan(0)
})
