import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type KeyValue, PayloadTooLarge } from '#contracts/bus.ts'
import { buckets, routingKey } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'
import { type Document, DocumentUnreadable, openDocument } from './document.ts'

const schema = z.strictObject({ version: z.int().default(0), names: z.array(z.string()).default([]) })
type Names = z.infer<typeof schema>

let broker: Broker
let opened: Document<Names>[]
beforeEach(async () => {
  broker = await openMemoryBroker()
  opened = []
})
afterEach(async () => {
  for (const document of opened) document.close()
  await broker.close()
})

const bucket = (): Promise<KeyValue> => broker.connect('router').keyValue(buckets.config)
async function open(onUnreadable?: () => void): Promise<Document<Names>> {
  const document = await openDocument(await bucket(), routingKey, schema, onUnreadable)
  opened.push(document)
  return document
}
const add = (name: string) => (now: Names) => ({ ...now, names: [...now.names, name] })
const stored = async (value: unknown) => (await bucket()).put(routingKey, new TextEncoder().encode(JSON.stringify(value)))

describe('a document', () => {
  it('is there before it was ever written', async () => expect((await open()).current).toEqual({ version: 0, names: [] }))

  it('tells everybody of a change, and knows of it itself when the change resolves', async () => {
    const [here, there] = [await open(), await open()]
    const told: Names[] = []
    const stop = there.onChange((now) => told.push(now))
    const { before, after } = await here.change(add('a'))
    expect([before, after, here.current]).toEqual([
      { version: 0, names: [] },
      { version: 1, names: ['a'] },
      { version: 1, names: ['a'] },
    ])
    await there.seen(1)
    expect(told).toEqual([{ version: 1, names: ['a'] }])
    stop()
    await here.change(add('b'))
    await there.seen(2)
    expect([told.length, there.current.names]).toEqual([1, ['a', 'b']])
  })

  it('loses no change, however many are made at once', async () => {
    const documents = [await open(), await open(), await open()]
    const names = Array.from({ length: 30 }, (_, i) => `n${i}`)
    await Promise.all(names.map((name, i) => (documents[i % 3] as Document<Names>).change(add(name))))
    expect((await open()).current).toEqual({ version: 30, names: expect.arrayContaining(names) })
  })

  it('stays as it is if the change throws, or makes what is no such document', async () => {
    const document = await open()
    await document.change(add('a'))
    const refusal = new Error('not like this')
    await expect(
      document.change(() => {
        throw refusal
      }),
    ).rejects.toBe(refusal)
    await expect(document.change((now) => ({ ...now, names: [1] as unknown as string[] }))).rejects.toThrow()
    expect((await open()).current).toEqual({ version: 1, names: ['a'] })
  })

  it('that would be too large for one message is not written', async () => {
    const document = await open()
    await document.change(add('a'))
    await expect(document.change(add('x'.repeat(1_000_000)))).rejects.toBeInstanceOf(PayloadTooLarge)
    expect((await open()).current.names).toEqual(['a'])
  })

  it('of a newer version is left alone: what is known stays in force, and nothing is written over it', async () => {
    await stored({ version: 3, names: ['a'] })
    let unreadable = 0
    const document = await open(() => unreadable++)
    await stored({ version: 4, names: ['a'], colours: [] })
    await expect(document.change(add('b'))).rejects.toBeInstanceOf(DocumentUnreadable)
    expect([unreadable, document.current]).toEqual([1, { version: 3, names: ['a'] }])
    expect(new TextDecoder().decode((await (await bucket()).get(routingKey))?.value)).toContain('colours')
  })

  it('whose format is newer is left alone, also where all its fields are known', async () => {
    await stored({ version: 3, names: ['a'] })
    let unreadable = 0
    const document = await open(() => unreadable++)
    await stored({ format: 2, version: 4, names: ['b'] })
    await expect(document.change(add('c'))).rejects.toThrow('was written by a newer version of freeway')
    expect([unreadable, document.current.names]).toEqual([1, ['a']])
  })
})
