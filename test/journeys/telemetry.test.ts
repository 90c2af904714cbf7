// What one process has answered is counted in its own database, across a crash as well.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSqliteStore } from '#services/telemetry/store/sqlite.ts'
import { chat } from '#test/support/chat.ts'
import { startGateway } from '#test/support/gateway.ts'

it('a gateway of one process counts its requests, and those of before a crash once', async () => {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'freeway-journey-'))
  stack.defer(() => rm(dir, { recursive: true }))
  const file = join(dir, 'data', 'telemetry.db')

  const first = stack.use(await startGateway({ dir }))
  await first.printed(new RegExp(`store {6}SQLite in ${file}`))
  const store = openSqliteStore(file)
  stack.defer(() => store.close())
  const counted = () => store.totals(0, Number.MAX_SAFE_INTEGER)
  for (let i = 0; i < 5; i++) expect((await chat(first.url, { model: 'demo/chat' })).status).toBe(200)
  const five = { requests: 5, byOutcome: { ok: 5 }, byProvider: { demo: { attempts: 5, ok: 5 } } }
  await expect.poll(counted, { timeout: 5_000 }).toMatchObject(five)
  first.kill('SIGKILL')
  await first.exited

  const second = stack.use(await startGateway({ dir }))
  for (let i = 0; i < 2; i++) expect((await chat(second.url, { model: 'demo/chat' })).status).toBe(200)
  const seven = { requests: 7, byOutcome: { ok: 7 }, byProvider: { demo: { attempts: 7, ok: 7 } } }
  await expect.poll(counted, { timeout: 5_000 }).toMatchObject(seven)
})
