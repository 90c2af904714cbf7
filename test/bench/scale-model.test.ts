import { expect, it } from 'vitest'
import { type Cost, growth, type Load, needOf, parts } from './scale-model.ts'

const cost: Cost = { answer: 600, stream: 6_000, openSecond: 60, idleMb: 100, openMb: 0.05 }
const load = (more: Partial<Load>): Load => ({ name: '', answersPerSecond: 0, streamsPerSecond: 0, openStreams: 0, ...more })

it('cores are the load times what each costs, and pods keep room', () => {
  expect(needOf(load({ answersPerSecond: 10_000 }), 'ingress', cost)).toMatchObject({ cores: 6, pods: 10 })
  expect(needOf(load({ streamsPerSecond: 1_000 }), 'worker', cost)).toMatchObject({ cores: 6, pods: 10 })
})

it('open streams need what is more: CPU time or memory', () => {
  expect(needOf(load({ openStreams: 100_000 }), 'ingress', cost)).toMatchObject({ cores: 6, pods: 10 })
  // 20,000 MB over 514.4 MB of each pod.
  expect(needOf(load({ openStreams: 100_000 }), 'ingress', { ...cost, openMb: 0.2 }).pods).toBe(39)
})

it('there are never fewer than may die without harm', () => {
  expect(needOf(load({ answersPerSecond: 1 }), 'router', cost).pods).toBe(2)
  expect(needOf(load({ answersPerSecond: 1 }), 'nats', cost).pods).toBe(3)
})

it('what more replicas cost is all of them together over one of each', () => {
  const costs = (answer: number) =>
    Object.fromEntries(parts.map((part) => [part, { ...cost, answer }])) as Record<(typeof parts)[number], Cost>
  expect(
    growth(
      [
        { replicas: 4, costs: costs(120) },
        { replicas: 1, costs: costs(100) },
        { replicas: 2, costs: costs(500) },
      ],
      'answer',
    ),
  ).toBeCloseTo(1.2)
  expect(growth([], 'answer')).toBeNaN()
})
