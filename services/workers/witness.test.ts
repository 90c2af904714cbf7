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
const offerOf = (id: string) => ({ id, n: 1, prov: 'alpha', model: 'm', inbox: inbox('i1', id, 1), account: 'a', lease: `${id}.1` })

let broker: Broker
let told: string[]
let settled: string[]
let witness: Witness
let ingress: ReturnType<Broker['connect']>
let bus: Bus

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'performance'] })
  broker = await openMemoryBroker()
  ingress = broker.connect('ingress')
  bus = broker.connect('worker').bus
  told = []
  settled = []
  const settlements = {
    report: (account: string, { t, lease }: { t: string; lease: string }) => void settled.push(`${t} ${account} ${lease}`),
  }
  witness = openWitness(bus, { record: ({ id }) => told.push(id) }, settlements)
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
  expect(settled).toEqual(['settle a r.1'])
})

it.each([
  ['rejected(429)', true, 'release a r.1'],
  ['failed(connect)', false, 'release a r.1'],
  ['rejected(503)', true, 'settle a r.1'],
  ['failed(stream)', true, 'settle a r.1'],
])('the lease of an owner that is gone, after %s (sent: %s): %s', async (result, sent, expected) => {
  witness.ended(offerOf('r'), { ...report, result, sent })
  await pass(1_000)
  expect(settled).toEqual([expected])
})

it('an owner that is there settles by itself', async () => {
  serveStored(ingress.bus, 'i1', { storedBeforeMs: performance.now() - 1 })
  witness.ended(offerOf('r'), report)
  for (let s = 0; s < 12; s++) await pass(1_000)
  witness.close()
  expect(settled).toEqual([])
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
