import { afterEach, beforeEach, expect, it } from 'vitest'
import { buckets } from '#contracts/subjects.ts'
import { AUDIT_ENTRIES, type Audit, openAudit } from './audit.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'

let broker: Broker
let audit: Audit
let clock = 0
const open = async () => openAudit(await broker.connect('ingress').keyValue(buckets.access), () => ++clock)

beforeEach(async () => {
  broker = await openMemoryBroker()
  audit = await open()
})
afterEach(() => broker.close())

const change = (target: string) => ({
  actor: 'admin',
  address: '127.0.0.1',
  action: 'ban.add',
  target,
  before: null,
  after: { reason: 'x' },
})

it('what was changed is told, the latest first', async () => {
  await audit.record(change('a'))
  await audit.record(change('b'))
  const entries = await audit.list(10)
  expect(entries.map(({ n, target }) => [n, target])).toEqual([
    [2, 'b'],
    [1, 'a'],
  ])
  expect(entries[0]).toMatchObject({ ...change('b'), at_ms: clock })
  expect(await audit.list(1)).toHaveLength(1)
})

it('several processes number their changes together, and none is lost', async () => {
  const others = [audit, await open(), await open()]
  await Promise.all(others.flatMap((each, i) => [...Array(10)].map((_, j) => each.record(change(`${i}-${j}`)))))
  const entries = await audit.list(AUDIT_ENTRIES)
  expect(new Set(entries.map(({ target }) => target)).size).toBe(30)
  expect(entries.map(({ n }) => n)).toEqual(Array.from({ length: 30 }, (_, i) => 30 - i))
})

it('the oldest make room for the latest', async () => {
  for (let i = 1; i <= AUDIT_ENTRIES + 5; i++) await audit.record(change(String(i)))
  const entries = await audit.list(2 * AUDIT_ENTRIES)
  expect(entries).toHaveLength(AUDIT_ENTRIES)
  expect([entries[0]?.target, entries.at(-1)?.target]).toEqual([String(AUDIT_ENTRIES + 5), '6'])
})
