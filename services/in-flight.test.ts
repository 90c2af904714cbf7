import { expect, it } from 'vitest'
import { InFlight } from './in-flight.ts'

const names = (of: InFlight<{ name: string }>) => [...of.values()].map(({ name }) => name)

it('what is under way is found by its id until it is deleted', () => {
  const flights = new InFlight<{ name: string }>()
  for (const name of ['a', 'b', 'c']) flights.set(name, { name })
  flights.delete('b')
  flights.delete('b')
  expect([flights.get('a'), flights.get('b'), flights.has('b'), flights.has('c')]).toEqual([{ name: 'a' }, undefined, false, true])
  expect([flights.size, names(flights)]).toEqual([2, ['a', 'c']])
})

it('a second one of the same id replaces the first', () => {
  const flights = new InFlight<{ name: string }>()
  flights.set('a', { name: 'first' })
  flights.set('a', { name: 'second' })
  expect([flights.size, names(flights)]).toEqual([1, ['second']])
})

it('what is deleted while all are looked at is not looked at any more', () => {
  const flights = new InFlight<{ name: string }>()
  for (const name of ['a', 'b', 'c']) flights.set(name, { name })
  const seen: string[] = []
  for (const { name } of flights.values()) {
    seen.push(name)
    flights.delete('b')
  }
  expect(seen).toEqual(['a', 'c'])
})
