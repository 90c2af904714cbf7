import { expect, it } from 'vitest'
import { type Calm, type Cost, growth, type Load, needOf, type Part, parts } from './scale-model.ts'

const cost: Cost = { answer: 600, stream: 6_000, openSecond: 60, idleMb: 100, openMb: 0.05 }
const once: Calm = { answer: 1, stream: 1 }
const load = (more: Partial<Load>): Load => ({ name: '', answersPerSecond: 0, streamsPerSecond: 0, openStreams: 0, ...more })

it('cores are the load times what each costs, and pods keep room', () => {
  expect(needOf(load({ answersPerSecond: 10_000 }), 'ingress', cost, once)).toMatchObject({ cores: 6, pods: 10 })
  expect(needOf(load({ streamsPerSecond: 1_000 }), 'worker', cost, once)).toMatchObject({ cores: 6, pods: 10 })
})

it('what many replicas cost more is reckoned in', () => {
  const factor = { answer: 1.2, stream: 1.5 }
  expect(needOf(load({ answersPerSecond: 10_000 }), 'ingress', cost, factor).cores).toBeCloseTo(7.2)
  expect(needOf(load({ streamsPerSecond: 1_000 }), 'ingress', cost, factor).cores).toBeCloseTo(9)
  expect(needOf(load({ openStreams: 100_000 }), 'ingress', cost, factor).cores).toBeCloseTo(9)
})

it('open streams need what is more: CPU time or memory', () => {
  expect(needOf(load({ openStreams: 100_000 }), 'ingress', cost, once)).toMatchObject({ cores: 6, pods: 10 })
  // 20,000 MB over 514.4 MB of each pod.
  expect(needOf(load({ openStreams: 100_000 }), 'ingress', { ...cost, openMb: 0.2 }, once).pods).toBe(39)
})

it('there are never fewer than may die without harm', () => {
  expect(needOf(load({ answersPerSecond: 1 }), 'router', cost, once).pods).toBe(2)
  expect(needOf(load({ answersPerSecond: 1 }), 'nats', cost, once).pods).toBe(3)
})

it('a message passes two servers of the broker, which are large', () => {
  expect(needOf(load({ openStreams: 100_000 }), 'nats', cost, once)).toMatchObject({ cores: 12, pods: 3 })
  expect(needOf(load({ openStreams: 1_000_000 }), 'nats', { ...cost, openMb: 0.001 }, once)).toMatchObject({ cores: 120, pods: 25 })
})

it('what more replicas cost is all of them together over one of each', () => {
  const costs = (answer: number) => Object.fromEntries(parts.map((part) => [part, { answer, stream: 1 }])) as Record<Part, Calm>
  const measured = [
    { replicas: 4, costs: costs(120) },
    { replicas: 1, costs: costs(100) },
    { replicas: 2, costs: costs(500) },
  ]
  expect(growth(measured, 'answer')).toBeCloseTo(1.2)
  expect(growth([], 'answer')).toBeNaN()
})
