import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Event } from '#contracts/event.ts'
import { openSqliteStore } from './sqlite.ts'
import type { EventStore } from './store.ts'

let dir: string
let file: string
let store: EventStore | undefined
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'freeway-sqlite-'))
  file = join(dir, 'telemetry.db')
})
afterEach(async () => {
  await store?.close()
  store = undefined
  await rm(dir, { recursive: true })
})

const ended = (request: string, at: number, provider = 'one'): Event => ({
  id: `${request}.0.req.end.ingress`,
  at,
  name: 'req.end',
  request,
  outcome: 'ok',
  status: 200,
  provider,
  model: 'm',
  attempts: 1,
  in: 1,
  out: 1,
  duration_ms: 10,
})

async function calls(): Promise<number> {
  let sum = 0
  for await (const cells of store?.cells('hour', 0, Number.MAX_SAFE_INTEGER) ?? []) for (const cell of cells) sum += cell.calls
  return sum
}

it('requests that are inserted together with some that are there already: each is there once, and counts once', async () => {
  store = openSqliteStore(file)
  const at = Date.now()
  const all = Array.from({ length: 50 }, (_, i) => ended(`r${i}`, at + i))
  await store.save(all.filter((_, i) => i % 7 === 3))
  await store.save(all)
  await store.save(all.slice(10, 30))
  expect(await calls()).toBe(50)
  const { records } = await store.page({}, undefined, 100)
  expect(records.map(({ id }) => id)).toEqual(Array.from({ length: 50 }, (_, i) => `r${49 - i}`))
})

it('a start that comes after a whole batch of ends is added to its request', async () => {
  store = openSqliteStore(file)
  const at = Date.now()
  const start: Event = { id: 'r3.0.req.start.ingress', at: at - 5_000, name: 'req.start', request: 'r3', model: 'auto', stream: true }
  await store.save(Array.from({ length: 40 }, (_, i) => ended(`r${i}`, at + i)))
  await store.save([start])
  expect((await store.find('r3'))?.parts).toMatchObject({ start: { model: 'auto' }, end: { outcome: 'ok' } })
  expect(await calls()).toBe(40)
})

it('a count that cannot be keeps no other request from being stored', async () => {
  store = openSqliteStore(file)
  const at = Date.now()
  const absurd = { in: Number.MAX_SAFE_INTEGER, out: Number.MAX_SAFE_INTEGER, model: 'large', duration_ms: 1e15 }
  for (let i = 0; i < 3; i++) await store.save([{ ...ended(`r${i}`, at), ...absurd } as Event])
  await store.save([{ ...ended('r3', at), model: 'large' } as Event])
  expect(await calls()).toBe(4)
})

it('a file of the version before keeps its records, and takes new ones', async () => {
  const at = Date.now()
  const parts = { end: { at, outcome: 'ok', status: 200, provider: 'old', model: 'm', attempts: 1, in: 1, out: 1, duration_ms: 1 } }
  {
    using db = new DatabaseSync(file)
    db.exec(`
      create table request (
        key text not null unique, first integer not null, ended integer not null,
        client text, provider text, model text, outcome text, parts text not null);
      create index request_first on request (first, key);
      pragma user_version = 2;
    `)
    db.prepare('insert into request values (?, ?, 1, null, ?, ?, ?, ?)').run('old', at, 'old', 'm', 'ok', JSON.stringify(parts))
  }
  store = openSqliteStore(file)
  await store.save([ended('new', at + 1, 'new'), ended('old', at, 'other')])
  const idsOf = async (filter: object) => (await store?.page(filter, undefined, 10))?.records.map(({ id }) => id)
  expect(await idsOf({})).toEqual(['new', 'old'])
  expect(await idsOf({ provider: 'new' })).toEqual(['new'])
  expect(await idsOf({ provider: 'other' })).toEqual(['old'])
})
