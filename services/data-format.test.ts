import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Event } from '#contracts/event.ts'
import { startMongoStandIn } from '#test/support/mongo-stand-in.ts'
import { openMemoryBroker } from './bus/memory.ts'
import { openStore } from './bus/sqlite.ts'
import { ENTRY_FORMAT, NewerEntry, newerFormat } from './data-format.ts'
import { openLedger } from './ledger.ts'
import { SettingsError } from './settings-error.ts'
import { openMongoStore } from './telemetry/store/mongo.ts'
import { openSqliteStore } from './telemetry/store/sqlite.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'freeway-format-'))
})
afterEach(() => rm(dir, { recursive: true }))

const files = [
  { name: 'the file of telemetry', open: async (file: string) => void (await openSqliteStore(file).close()) },
  { name: 'the file of the in-process broker', open: async (file: string) => openStore(file).close() },
]

describe.each(files)('$name', ({ open }) => {
  it('is opened again by the version that has written it', async () => {
    const file = join(dir, 'data.db')
    await open(file)
    await open(file)
  })

  it('of a newer version stops the start in clear words, and is not touched', async () => {
    const file = join(dir, 'data.db')
    await open(file)
    {
      using db = new DatabaseSync(file)
      db.exec("create table kept (word text); insert into kept values ('safe'); pragma user_version = 99")
    }
    const refusal = await open(file).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(SettingsError)
    expect((refusal as Error).message).toMatch(
      /data\.db was written by a newer version of freeway \(data of version 99, this one knows \d+\)/,
    )
    using db = new DatabaseSync(file)
    expect(db.prepare('select word from kept').all()).toEqual([{ word: 'safe' }])
    expect(db.prepare('pragma user_version').get()).toEqual({ user_version: 99 })
  })
})

it('a database of a newer version is not written to, and whoever would is told why', async () => {
  const server = await startMongoStandIn()
  const fact: Event = { id: 'a.0.req.start.ingress', name: 'req.start', at: 1, request: 'a', model: null, stream: false }
  const first = openMongoStore(server.url)
  await first.save([fact])
  await first.close()
  const marks = server.collections.get('meta')?.get('schema')
  expect(marks).toEqual({ _id: 'schema', version: 2 })

  if (marks) marks['version'] = 99
  server.collections.delete('requests')
  const store = openMongoStore(server.url)
  await expect(store.save([fact])).rejects.toThrow(
    /freeway was written by a newer version of freeway \(data of version 99, this one knows 2\)/,
  )
  expect(server.collections.get('requests')).toBeUndefined()
  expect(marks).toMatchObject({ version: 99 })
  await store.close()
  await server.stop()
})

it('an entry of a newer version is not written over', async () => {
  const broker = await openMemoryBroker({ file: join(dir, 'bus.db') })
  const bucket = await broker.connect('router').keyValue('fw_config')
  const newer = new TextEncoder().encode(JSON.stringify({ format: ENTRY_FORMAT + 1, count: 7, colours: ['red'] }))
  await bucket.put('numbers', newer)
  const ledger = openLedger(bucket)
  const refusal = await ledger.update<{ count: number }>('numbers', () => ({ count: 8 })).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(NewerEntry)
  expect((refusal as Error).message).toContain('numbers was written by a newer version of freeway')
  expect((await bucket.get('numbers'))?.value).toEqual(newer)
  await broker.close()
})

it.each([
  [{ format: ENTRY_FORMAT + 1 }, ENTRY_FORMAT + 1],
  [{ format: ENTRY_FORMAT }, undefined],
  [{ count: 1 }, undefined],
  [[], undefined],
  [null, undefined],
  [undefined, undefined],
])('%j: format %s', (entry, format) => {
  expect(newerFormat(entry)).toBe(format)
})
