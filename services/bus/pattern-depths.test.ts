import { expect, it } from 'vitest'
import { PatternDepths } from './pattern-depths.ts'

function depthsOf(...patterns: string[]): PatternDepths {
  const depths = new PatternDepths()
  for (const pattern of patterns) depths.add(pattern)
  return depths
}

it.each([
  // what is listened to, a subject, another, whether they surely reach the same
  [['fw.v1.in.a.>'], 'fw.v1.in.a.r1.1', 'fw.v1.in.a.r2.7', true],
  [['fw.v1.in.a.>'], 'fw.v1.in.a.r1.1', 'fw.v1.in.b.r1.1', false],
  [['fw.v1.in.a.>'], 'fw.v1.in.a', 'fw.v1.in.a.r1.1', false],
  [['fw.v1.in.a.>', 'fw.v1.ctl.p.w.>'], 'fw.v1.in.a.r1.1', 'fw.v1.in.a.r2.1', true],
  [['fw.v1.in.a.>', 'fw.v1.in.a.r1.*'], 'fw.v1.in.a.r1.1', 'fw.v1.in.a.r2.1', false],
  [['fw.v1.lease.*'], 'fw.v1.lease.x', 'fw.v1.lease.y', false],
  [['fw.v1.job'], 'fw.v1.job', 'fw.v1.job.x', false],
  [['fw.v1.*.a'], 'fw.v1.in.b.1', 'fw.v1.in.c.1', false],
  [['fw.v1.>'], 'fw.v1.in.a.r1', 'fw.v1.in.a.r2', false],
  [[], 'fw.v1.in.a.r1', 'fw.v1.in.b.r2', true],
])('%j: %s and %s reach the same: %s', (patterns, one, other, same) => {
  const depths = depthsOf(...patterns)
  expect(depths.beginningOf(one) === depths.beginningOf(other)).toBe(same)
})

it('a pattern that is taken out is looked at no more', () => {
  const depths = depthsOf('fw.v1.in.a.>', 'fw.v1.in.a.r1.*', 'fw.v1.>')
  depths.remove('fw.v1.in.a.r1.*')
  depths.remove('fw.v1.>')
  expect(depths.beginningOf('fw.v1.in.a.r1.1')).toBe('fw.v1.in.a.')
})
