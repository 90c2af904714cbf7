import { expect, it } from 'vitest'
import { inbox } from '#contracts/subjects.ts'
import { createLeases } from './leases.ts'

const target = { prov: 'groq', account: 'groq-1', model: 'm', billable: false }
const answers = inbox('i1', 'r1', 1)
const release = (lease: string) => ({ t: 'release', lease }) as const

it('an attempt gets one lease, however often it is submitted', () => {
  const leases = createLeases()
  expect(leases.reserve('r1.1', target, answers, 1_000, 0)).toBe(true)
  expect(leases.reserve('r1.1', { ...target, prov: 'gemini' }, answers, 1_000, 5)).toBe(false)
  expect(leases.open).toBe(1)
  expect(leases.get('r1.1')).toMatchObject({ prov: 'groq', inbox: answers })
})

it('a lease is closed once, however often it is told', () => {
  const leases = createLeases()
  leases.reserve('r1.1', target, answers, 1_000, 0)
  leases.reserve('r1.2', target, answers, 1_000, 0)
  expect(leases.close(release('r1.1'))).toMatchObject({ prov: 'groq' })
  expect(leases.close(release('r1.1'))).toBeUndefined()
  expect(leases.close(release('r9.9'))).toBeUndefined()
  expect(leases.open).toBe(1)
})

it('a lease that nobody reports is dropped a minute after its deadline', () => {
  const leases = createLeases()
  leases.reserve('r1.1', target, answers, 1_000, 500)
  leases.reserve('r2.1', target, answers, 9_000, 500)
  leases.sweep(61_499)
  expect(leases.open).toBe(2)
  leases.sweep(61_500)
  expect(leases.get('r1.1')).toBeUndefined()
  expect(leases.get('r2.1')).toBeDefined()
})

it('what is told again is no news', () => {
  const leases = createLeases()
  expect([leases.isNews('r1.1'), leases.isNews('r1.1'), leases.isNews('r1.2')]).toEqual([true, false, true])
})
