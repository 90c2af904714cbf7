import { afterEach, expect, it, vi } from 'vitest'
import { bucketAgesMs, buckets } from '#contracts/subjects.ts'
import { openMemoryBroker } from './memory.ts'

afterEach(() => vi.useRealTimers())

const value = new Uint8Array([1])
const ageMs = bucketAgesMs[buckets.responses] as number

it('an entry of a bucket with an age is gone when it is that old, counted from its last write', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const broker = await openMemoryBroker()
  try {
    const responses = await broker.connect('a').keyValue(buckets.responses)
    await responses.put('old.head', value)
    await responses.put('again.head', value)
    vi.advanceTimersByTime(ageMs / 2)
    await responses.put('again.head', value)
    vi.advanceTimersByTime(ageMs / 2 + 1)
    const seen: string[] = []
    const watch = await responses.watch('>', ({ key }) => seen.push(key))
    watch.unsubscribe()
    expect(seen).toEqual(['again.head'])
    expect(await responses.get('old.head')).toBeUndefined()
    expect(await responses.get('again.head')).toBeDefined()
  } finally {
    await broker.close()
  }
})

it('an entry of any other bucket stays', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  const broker = await openMemoryBroker()
  try {
    const config = await broker.connect('a').keyValue(buckets.config)
    await config.put('catalog', value)
    vi.advanceTimersByTime(100 * ageMs)
    expect(await config.get('catalog')).toBeDefined()
  } finally {
    await broker.close()
  }
})
