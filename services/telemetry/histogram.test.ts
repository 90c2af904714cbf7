import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bucketOf, Distribution, mergeHistograms } from './histogram.ts'

const durations = fc.array(fc.double({ min: 1, max: 4_000_000, noNaN: true }), { minLength: 1, maxLength: 200 })

it('a quantile is within five percent of the exact one', () => {
  fc.assert(
    fc.property(durations, fc.constantFrom(0.5, 0.95, 0.99), (times, q) => {
      const distribution = new Distribution()
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

it('sums of sums say the same as one sum of all', () => {
  fc.assert(
    fc.property(fc.array(durations, { maxLength: 8 }), fc.constantFrom(0.5, 0.95, 0.99), (parts, q) => {
      const [all, sum] = [new Distribution(), new Distribution()]
      for (const times of parts) {
        const part = new Distribution()
        for (const ms of times) for (const into of [part, all]) into.add([bucketOf(ms), 1])
        part.addTo(sum)
      }
      expect(sum.quantile(q)).toBe(all.quantile(q))
    }),
  )
})

it('what is taken away again leaves nothing', () => {
  expect(mergeHistograms([3, 2, 9, 1], [3, -2, 9, -1])).toEqual([])
})

it('of nothing there is no quantile', () => {
  expect(new Distribution().quantile(0.5)).toBeNull()
})

it.each([0, 0.4, 1e12])('%s ms has a bucket', (ms) => {
  const distribution = new Distribution()
  distribution.add([bucketOf(ms), 1])
  expect(distribution.quantile(0.99)).toBeGreaterThan(0)
})
