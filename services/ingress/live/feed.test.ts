import { afterEach, beforeEach, expect, it } from 'vitest'
import type { LiveEvent } from '#contracts/live.ts'
import { liveFeed } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { collect } from '#test/support/collect.ts'
import { until } from '#test/support/until.ts'
import { type LiveFeed, openLiveFeed } from './feed.ts'

const waiting = (request: string): LiveEvent => ({ event: 'request_waiting', at: 1, request })

let broker: Broker
let one: LiveFeed
let other: LiveFeed
beforeEach(async () => {
  broker = await openMemoryBroker()
  one = openLiveFeed(broker.connect('ingress').bus)
  other = openLiveFeed(broker.connect('ingress').bus)
})
afterEach(async () => {
  one.close()
  other.close()
  await broker.close()
})

it('whoever watches at one ingress sees what happens at all of them', async () => {
  const seen = collect<LiveEvent>()
  one.watch((event) => seen.add(event))
  await until('it is wanted everywhere', () => one.wanted && other.wanted)
  one.tell(waiting('a'))
  other.tell(waiting('b'))
  expect((await seen.until(2)).map((event) => 'request' in event && event.request).sort()).toEqual(['a', 'b'])
})

it('as long as nobody watches, nothing is wanted', async () => {
  expect(one.wanted).toBe(false)
  const watching = other.watch(() => {})
  await until('it is wanted', () => one.wanted)
  watching.unsubscribe()
})

it('too much at once is sampled: the rest is counted, not sent', async () => {
  const seen = collect<LiveEvent>()
  one.watch((event) => seen.add(event))
  await until('it is wanted', () => other.wanted)
  for (let i = 0; i < 1_000; i++) other.tell(waiting(String(i)))
  const events = await seen.until(51)
  expect(events[50]).toMatchObject({ event: 'skipped', count: 950 })
})

it('what is not an event of ours is not passed on', async () => {
  const seen = collect<LiveEvent>()
  one.watch((event) => seen.add(event))
  await until('it is wanted', () => other.wanted)
  const passing = collect<string>()
  broker.connect('ingress').bus.subscribe(liveFeed, ({ data }) => passing.add(new TextDecoder().decode(data)))
  other.tell({ event: 'of_tomorrow' } as unknown as LiveEvent)
  expect(await passing.until(1)).toEqual([expect.stringContaining('of_tomorrow')])
  other.tell(waiting('a'))
  expect(await seen.until(1)).toEqual([waiting('a')])
})
