import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Bus } from '#contracts/bus.ts'
import { inbox } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { serveStored } from '#services/stored-facts.ts'
import type { AttemptReport } from './attempt-world.ts'
import { openWitness, type Witness } from './witness.ts'

const report: AttemptReport = {
  result: 'ok',
  sent: true,
  orphan: false,
  confirmed: true,
  usage: { in: 1, out: 2 },
  ttfbMs: 3,
  durationMs: 4,
}
const offerOf = (id: string) => ({ id, n: 1, prov: 'alpha', model: 'm', inbox: inbox('i1', id, 1) })

let broker: Broker
let told: string[]
let witness: Witness
let ingress: ReturnType<Broker['connect']>
let bus: Bus

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'performance'] })
  broker = await openMemoryBroker()
  ingress = broker.connect('ingress')
  bus = broker.connect('worker').bus
  told = []
  witness = openWitness(bus, { record: ({ id }) => told.push(id) })
})
afterEach(async () => {
  witness.close()
  vi.useRealTimers()
  await broker.close()
})

/** So long that the owner is asked, and has answered. */
async function pass(ms: number): Promise<void> {
  vi.advanceTimersByTime(ms)
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
}

it('an end that nobody has confirmed is told at once', () => {
  witness.ended(offerOf('r'), { ...report, confirmed: false, orphan: true, result: 'canceled(orphan)' })
  expect(told).toEqual(['r.1.att.end.worker'])
})

it('what the owner has stored is told by the owner alone', async () => {
  serveStored(ingress.bus, 'i1', { storedBeforeMs: Number.MAX_SAFE_INTEGER })
  witness.ended(offerOf('r'), report)
  await pass(1_000)
  witness.close()
  expect(told).toEqual([])
})

it('an owner that dies before its word is stored: the worker tells, as soon as it knows', async () => {
  witness.ended(offerOf('r'), report)
  await pass(999)
  expect(told).toEqual([])
  await pass(1)
  expect(told).toEqual(['r.1.att.end.worker'])
})

it('as long as the owner has not stored it, it is kept; after ten seconds it is told twice rather than never', async () => {
  serveStored(ingress.bus, 'i1', { storedBeforeMs: performance.now() - 1 })
  witness.ended(offerOf('r'), report)
  for (let s = 0; s < 9; s++) await pass(1_000)
  expect(told).toEqual([])
  await pass(2_000)
  expect(told).toEqual(['r.1.att.end.worker'])
})

it('a worker that stops leaves nothing untold', () => {
  witness.ended(offerOf('a'), report)
  witness.ended(offerOf('b'), report)
  witness.close()
  expect(told).toEqual(['a.1.att.end.worker', 'b.1.att.end.worker'])
})
