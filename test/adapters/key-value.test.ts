// The rules of key-value buckets, and of the ledger that stands on them; both adapters keep them.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Backbone, Disconnected, type KeyValue, type KeyValueEntry, RevisionConflict } from '#contracts/bus.ts'
import { openLedger } from '#services/ledger.ts'
import { describeAdapters } from '#test/support/adapters.ts'
import type { Harness } from '#test/support/backbones.ts'
import { collect } from '#test/support/collect.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const shown = ({ key, value }: KeyValueEntry) => `${key}=${value === undefined ? 'deleted' : new TextDecoder().decode(value)}`

describeAdapters('key-value', (open) => {
  let harness: Harness
  let backbone: Backbone
  let other: Backbone
  let bucket: string
  let kv: KeyValue
  let same: KeyValue
  let count = 0

  beforeAll(async () => {
    harness = await open()
    backbone = await harness.connect('ingress')
    other = await harness.connect('router')
  })
  afterAll(() => harness.close())
  beforeEach(async () => {
    bucket = `bucket_${++count}`
    kv = await backbone.keyValue(bucket)
    same = await other.keyValue(bucket)
  })

  test('what was put is there for everybody, with a revision that rises', async () => {
    expect(await kv.get('a.b')).toBeUndefined()
    const first = await kv.put('a.b', bytes('1'))
    const second = await kv.put('a.b', bytes('2'))
    expect(second).toBeGreaterThan(first)
    const entry = await same.get('a.b')
    expect([entry && shown(entry), entry?.revision]).toEqual(['a.b=2', second])
    expect(await kv.put('c', bytes('3'))).toBeGreaterThan(second)
  })

  test('an update succeeds over the revision it names, and over no other', async () => {
    const first = await kv.put('a', bytes('1'))
    const second = await same.update('a', bytes('2'), first)
    await expect(kv.update('a', bytes('3'), first)).rejects.toThrow(RevisionConflict)
    await expect(kv.update('a', bytes('3'), second + 1)).rejects.toThrow(RevisionConflict)
    expect(shown((await kv.get('a')) as KeyValueEntry)).toBe('a=2')
  })

  test('revision 0 means a key that is absent or deleted', async () => {
    const first = await kv.update('a', bytes('1'), 0)
    await expect(same.update('a', bytes('2'), 0)).rejects.toThrow(RevisionConflict)
    await kv.delete('a')
    expect(await same.get('a')).toBeUndefined()
    await expect(kv.update('a', bytes('2'), first)).rejects.toThrow(RevisionConflict)
    expect(await same.update('a', bytes('3'), 0)).toBeGreaterThan(first)
    expect(shown((await kv.get('a')) as KeyValueEntry)).toBe('a=3')
  })

  test('a watch tells what is there, then resolves, then every change in order', async () => {
    await kv.put('x.1', bytes('1'))
    await kv.put('x.2', bytes('2'))
    await kv.put('y.1', bytes('-'))
    await kv.put('x.gone', bytes('-'))
    await kv.delete('x.gone')
    await kv.put('x.1', bytes('1b'))
    const told = collect<string>()
    const revisions: number[] = []
    const watch = await same.watch('x.>', (entry) => {
      revisions.push(entry.revision)
      told.add(shown(entry))
    })
    expect(told.items).toEqual(['x.2=2', 'x.1=1b'])
    await kv.put('x.3', bytes('3'))
    await kv.put('y.2', bytes('-'))
    await same.delete('x.2')
    await kv.update('x.2', bytes('again'), 0)
    expect((await told.until(5)).slice(2)).toEqual(['x.3=3', 'x.2=deleted', 'x.2=again'])
    expect(revisions).toEqual(revisions.toSorted((p, q) => p - q))

    watch.unsubscribe()
    const later = collect<string>()
    await same.watch('*.3', (entry) => later.add(shown(entry)))
    await kv.put('x.3', bytes('after'))
    await later.until(2)
    expect(told.items).toHaveLength(5)
  })

  test('a watch of an empty bucket resolves, and a handler that throws does not end it', async () => {
    const told = collect<string>()
    await same.watch('>', (entry) => {
      told.add(shown(entry))
      throw new Error('thrown on purpose')
    })
    await kv.put('a', bytes('1'))
    await kv.put('b', bytes('2'))
    expect(await told.until(2)).toEqual(['a=1', 'b=2'])
  })

  test('the receiver owns what it gets, and the writer keeps its buffer', async () => {
    const buffer = bytes('value')
    const written = kv.put('a', buffer)
    buffer.fill(0x2d)
    await written
    const entry = (await same.get('a')) as KeyValueEntry
    expect(shown(entry)).toBe('a=value')
    entry.value?.fill(0x2d)
    expect(shown((await same.get('a')) as KeyValueEntry)).toBe('a=value')
  })

  test('buckets know nothing of each other', async () => {
    const elsewhere = await other.keyValue(`${bucket}_else`)
    await kv.put('a', bytes('1'))
    expect(await elsewhere.get('a')).toBeUndefined()
    expect(await elsewhere.update('a', bytes('2'), 0)).toBeGreaterThan(0)
  })

  test('fifty increments at once through two ledgers lose none', async () => {
    const ledgers = [openLedger(kv), openLedger(same)]
    const increment = (current: number | undefined) => (current ?? 0) + 1
    const results = await Promise.all(Array.from({ length: 50 }, (_, i) => ledgers[i % 2]?.update<number>('pool.count', increment)))
    expect(await ledgers[0]?.get('pool.count')).toBe(50)
    expect(results.toSorted((p, q) => Number(p) - Number(q))).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  })

  test('a ledger leaves alone what a change leaves alone, and passes on what a change throws', async () => {
    const ledger = openLedger(kv)
    expect(await ledger.update('a', () => undefined)).toBeUndefined()
    expect(await kv.get('a')).toBeUndefined()
    await ledger.update('a', () => ({ left: 1 }))
    const before = await kv.get('a')
    const spend = (current: { left: number } | undefined) => (current && current.left > 1 ? { left: current.left - 1 } : undefined)
    const refused = ledger.update('a', spend)
    const failed = ledger.update('a', () => {
      throw new Error('not like this')
    })
    await expect(failed).rejects.toThrow('not like this')
    expect(await refused).toEqual({ left: 1 })
    expect((await kv.get('a'))?.revision).toBe(before?.revision)
  })

  test('while the broker is gone calls reject at once; afterwards all is there, and watches have missed nothing', async () => {
    await kv.put('kept', bytes('1'))
    await kv.put('dropped', bytes('1'))
    const told = collect<string>()
    await same.watch('>', (entry) => told.add(shown(entry)))
    const lost = collect<string>()
    const back = collect<string>()
    for (const { bus } of [backbone, other]) bus.onStatus((status) => (status === 'disconnected' ? lost : back).add(status))
    await harness.breakBroker()
    await lost.until(2)
    await expectSoon(() => expect(kv.get('kept')).rejects.toThrow(Disconnected))
    await expect(kv.put('kept', bytes('2'))).rejects.toThrow(Disconnected)
    await expect(openLedger(kv).update('kept', () => 2)).rejects.toThrow(Disconnected)

    await harness.restoreBroker()
    await back.until(2)
    await expectSoon(async () => expect(shown((await kv.get('kept')) as KeyValueEntry)).toBe('kept=1'))
    await kv.put('kept', bytes('3'))
    await kv.delete('dropped')
    await told.until(4)
    expect(told.items).toEqual(['kept=1', 'dropped=1', 'kept=3', 'dropped=deleted'])
  })
})

/** The second connection of an adapter may learn of a loss, or be back, a moment after the first. */
async function expectSoon(check: () => Promise<unknown>): Promise<void> {
  await expect.poll(async () => check().then(() => 'as expected', String), { timeout: 5000, interval: 20 }).toBe('as expected')
}
