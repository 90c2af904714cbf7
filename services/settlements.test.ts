import { afterEach, expect, it } from 'vitest'
import type { BusMessage } from '#contracts/bus.ts'
import { encode } from '#contracts/message.ts'
import type { Settlement } from '#contracts/settlement.ts'
import { asAnswerInbox, jobs, leases } from '#contracts/subjects.ts'
import { collect } from '#test/support/collect.ts'
import { openMemoryBroker } from './bus/memory.ts'
import { openSettlements } from './settlements.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

const release = (lease: string): Settlement => ({ t: 'release', lease })

async function start() {
  const broker = await openMemoryBroker()
  const ingress = broker.connect('ingress')
  const router = broker.connect('router')
  const settlements = openSettlements(ingress.bus)
  open.push(broker, { close: () => settlements.close(0) })
  const heard = collect<BusMessage>()
  router.bus.subscribe(leases, heard.add)
  const answer = (message: BusMessage | undefined) => {
    const to = asAnswerInbox(message?.reply)
    if (to) router.bus.publish(to, encode({ ok: true }))
  }
  return { settlements, heard, answer, ingress: ingress.bus, router: router.bus }
}

it('what is reported while others are on their way is sent as well', async () => {
  const { settlements, heard, answer } = await start()
  settlements.report('alpha-1', release('a.1'))
  const [first] = await heard.until(1)
  settlements.report('beta-1', release('b.1'))
  // Longer than a report waits for others, so that its turn comes while the first is unanswered.
  await new Promise((resolve) => setTimeout(resolve, 50))
  answer(first)
  const [, second] = await heard.until(2)
  expect(second?.subject).toBe('fw.v1.lease.beta-1')
  answer(second)
})

it('what nobody has answered is sent again, together with what came since', async () => {
  const { settlements, heard, answer } = await start()
  settlements.report('alpha-1', release('a.1'))
  await heard.until(1)
  settlements.report('alpha-1', release('a.2'))
  const last = (await heard.until(2)).at(-1)
  answer(last)
  expect(new TextDecoder().decode(last?.data)).toContain('a.1')
})

it('a failure is heard before what its reporter says next', async () => {
  const { settlements, heard, answer, ingress, router } = await start()
  router.subscribe(jobs, heard.add)
  const { prov, account, model } = { prov: 'alpha', account: 'alpha-1', model: 'm' }
  const told = { prov, account, model, status: 401, phase: 'status', key_fault: true, retry_after_ms: null, ttfb_ms: null } as const
  settlements.report(account, { t: 'release', lease: 'a.1', outcome: told })
  ingress.publish(jobs, encode({ t: 'submit' }))
  const both = await heard.until(2)
  expect(both.map(({ subject }) => subject)).toEqual(['fw.v1.lease.alpha-1', 'fw.v1.job'])
  answer(both[0])
})

it('a failure that nobody has answered is told again', async () => {
  const { settlements, heard, answer } = await start()
  const told = { prov: 'alpha', account: 'alpha-1', model: 'm', status: 500, phase: 'status', key_fault: false } as const
  settlements.report('alpha-1', { t: 'release', lease: 'a.1', outcome: { ...told, retry_after_ms: null, ttfb_ms: null } })
  const again = (await heard.until(2)).at(-1)
  expect(new TextDecoder().decode(again?.data)).toContain('a.1')
  answer(again)
})

it('what has gathered while nobody answered goes in messages that the bus takes, and all of it', async () => {
  const { settlements, heard, answer } = await start()
  const count = 3_000
  const outcome = { prov: 'alpha', account: 'alpha-1', model: 'm'.repeat(300), status: 200, phase: null, key_fault: false } as const
  for (let i = 0; i < count; i++)
    settlements.report('alpha-1', { t: 'release', lease: `a.${i}`, outcome: { ...outcome, retry_after_ms: null, ttfb_ms: 1 } })
  const leasesTold = new Set<string>()
  for (let messages = 1; leasesTold.size < count; messages++) {
    const message = (await heard.until(messages))[messages - 1]
    const { length } = message?.data ?? []
    expect(length).toBeLessThan(1024 * 1024)
    for (const [, lease = ''] of new TextDecoder().decode(message?.data).matchAll(/"lease":"(a\.\d+)"/g)) leasesTold.add(lease)
    answer(message)
  }
})
