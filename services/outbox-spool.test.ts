import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Batch, openSpool, type Spool } from './outbox-spool.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'freeway-spool-'))
})
afterEach(() => rm(dir, { recursive: true }))

const batch = (id: string, text = 'x'): Batch => ({ id, data: new TextEncoder().encode(JSON.stringify({ events: [text] })) })
const openAs = (instance: string, role = 'ingress') => openSpool({ dir, role, instance })
async function drained(spool: Spool, limit = 1000): Promise<string[]> {
  const sent: string[] = []
  await spool.drain(async ({ id, data }) => {
    JSON.parse(new TextDecoder().decode(data))
    sent.push(id)
    return true
  }, limit)
  return sent
}
const onlyFile = async () => join(dir, (await readdir(dir))[0] ?? '')

test('batches come back in order, once, and then the file is gone', async () => {
  const spool = await openAs('a')
  for (let i = 0; i < 50; i++) expect(await spool.write(batch(`a.${i}`, 'ü'.repeat(i)))).toBe(true)
  expect(await drained(spool, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `a.${i}`))
  expect(await drained(spool)).toEqual(Array.from({ length: 30 }, (_, i) => `a.${i + 20}`))
  expect(spool.bytes).toBe(0)
  expect(await readdir(dir)).toEqual([])
  expect(await spool.write(batch('a.99'))).toBe(true)
  expect(await drained(spool)).toEqual(['a.99'])
})

test('a batch that could not be sent is the first of the next time', async () => {
  const spool = await openAs('a')
  await spool.write(batch('a.1'))
  await spool.drain(async () => false, 10)
  expect(await drained(spool)).toEqual(['a.1'])
})

test('more than is read at a time', async () => {
  const spool = await openAs('a')
  for (let i = 0; i < 12; i++) await spool.write(batch(`a.${i}`, 'x'.repeat(250_000)))
  expect(await drained(spool)).toHaveLength(12)
})

test('what a process has left is found by the next one of the same machine, also where the machine has dots in its name', async () => {
  const of = (host: string, instance: string) => openSpool({ dir, role: 'ingress', instance, host })
  const before = await of('mac.local', 'a')
  await before.write(batch('a.1'))
  expect((await of('mac', 'b')).bytes).toBe(0)
  expect(await drained(await of('mac.local', 'c'))).toEqual(['a.1'])
})

test('a last line that was torn takes no other with it', async () => {
  const spool = await openAs('a')
  await spool.write(batch('a.1'))
  await spool.write(batch('a.2'))
  const path = await onlyFile()
  await truncate(path, spool.bytes - 5)
  expect(await drained(await openAs('b'))).toEqual(['a.1'])
  expect(await readdir(dir)).toEqual([])
})

test('garbage is passed over', async () => {
  const spool = await openAs('a')
  await spool.write(batch('a.1'))
  await appendFile(await onlyFile(), 'garbage\n\n\u0000\u0000\n')
  expect(await drained(await openAs('b'))).toEqual(['a.1'])
})

test('beyond its size it takes nothing more, and again when it is empty', async () => {
  const spool = await openSpool({ dir, role: 'ingress', instance: 'a', maxBytes: 60 })
  expect(await spool.write(batch('a.1'))).toBe(true)
  expect(await spool.write(batch('a.2', 'x'.repeat(60)))).toBe(false)
  await drained(spool)
  expect(await spool.write(batch('a.3'))).toBe(true)
})

test('the file of a process that runs is its own; that of one which ended is taken over by one alone', async () => {
  const spool = await openAs('a')
  await spool.write(batch('a.1'))
  const mine = await onlyFile()
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' })
  await once(other, 'spawn')
  const theirs = mine.replace(`.${process.pid}.`, `.${other.pid}.`)
  await rename(mine, theirs)
  expect((await openAs('b')).bytes).toBe(0)
  other.kill('SIGKILL')
  await once(other, 'exit')
  const both = await Promise.all([openAs('c'), openAs('d')])
  expect(both.map(({ bytes }) => bytes > 0).sort()).toEqual([false, true])
})

test('of another role or machine it takes nothing', async () => {
  await writeFile(join(dir, 'ingress.elsewhere.1.a.spool'), 'a.1 {}\n')
  const spool = await openAs('a', 'worker')
  await spool.write(batch('a.1'))
  expect((await openAs('b')).bytes).toBe(0)
})
