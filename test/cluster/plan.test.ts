import { expect, it } from 'vitest'
import { planFaults } from './plan.ts'
import { chanceOf } from './random.ts'
import { nextWish } from './workload.ts'

const replicas = { ingress: 3, router: 3, worker: 5, telemetry: 1, broker: 3 }
const far = { ingress: 0, router: 0, worker: 0, telemetry: 0, broker: undefined }
const plan = (seed: number, rounds = 1) => planFaults(chanceOf(seed), rounds, replicas, far)

it('the same seed gives the same faults and the same load, another one others', () => {
  expect(plan(7)).toEqual(plan(7))
  expect(plan(7)).not.toEqual(plan(8))
  expect(nextWish(chanceOf(7))).toEqual(nextWish(chanceOf(7)))
})

it('in each round every kind of process dies, freezes, and is cut off where it can be', () => {
  const whole = plan(7, 2).map(({ kind, role }) => `${kind} ${role}`)
  expect(whole).toHaveLength(28)
  for (const role of Object.keys(replicas)) {
    expect(whole.filter((fault) => fault === `kill ${role}`)).toHaveLength(2)
    expect(whole.filter((fault) => fault === `freeze ${role}`)).toHaveLength(2)
  }
  expect(whole.filter((fault) => fault.startsWith('partition')).sort()).toEqual(
    ['ingress', 'ingress', 'router', 'router', 'telemetry', 'telemetry', 'worker', 'worker'].map((role) => `partition ${role}`),
  )
})

it('nobody is meant who is not there', () => {
  for (const { role, slot } of plan(7, 20)) expect(slot).toBeLessThan(replicas[role])
})

it('traces of requests are 32 digits, and differ', () => {
  const chance = chanceOf(1)
  const traces = Array.from({ length: 1_000 }, () => nextWish(chance).trace)
  expect(traces.filter((trace) => !/^[0-9a-f]{32}$/.test(trace))).toEqual([])
  expect(new Set(traces).size).toBe(1_000)
})
