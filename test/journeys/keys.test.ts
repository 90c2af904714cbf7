// Keys from the command line: at the running gateway, and in its data where none runs.

import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runFreeway, startGateway } from '#test/support/gateway.ts'

let stack: AsyncDisposableStack
let dir: string
let port: string
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  dir = await mkdtemp(join(tmpdir(), 'freeway-keys-'))
  stack.defer(() => rm(dir, { recursive: true }))
  port = String(await freePort())
})
afterEach(() => stack.disposeAsync())

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

async function key(...args: string[]): Promise<{ code: number | null; text: string; fault: string }> {
  await using run = await runFreeway(['key', ...args], { dir, env: { PORT: port } })
  const { code } = await run.exited
  return { code, text: run.stdout, fault: run.stderr }
}

const models = (issued: string) => fetch(`http://127.0.0.1:${port}/v1/models`, { headers: { authorization: `Bearer ${issued}` } })

it('are issued, listed and revoked while the gateway runs, and act at once', async () => {
  stack.use(await startGateway({ dir, env: { PORT: port } }))
  const issued = await key('create', 'my-app', '--rpm', '7', '--tier', 'member')
  expect(issued).toMatchObject({ code: 0, fault: '' })
  const [raw = ''] = issued.text.split('\n')
  expect(raw).toMatch(/^fai_\w{49}$/)
  expect(issued.text).toContain(`the gateway at http://127.0.0.1:${port}`)
  const answer = await models(raw)
  expect([answer.status, answer.headers.get('x-ratelimit-limit')]).toEqual([200, '7'])
  const listed = await key('list')
  expect(listed.text).toMatch(/my-app +c\w{20} +\w{12}… +7 +- +- +member +active/)
  expect(listed.text).not.toContain(raw)
  expect((await key('revoke', 'my-app')).text).toMatch(/^Revoked "my-app"/)
  expect((await models(raw)).status).toBe(401)
})

it('are issued before the first start, and found by it; no key is in the data', async () => {
  const { text } = await key('create', 'early')
  const [raw = ''] = text.split('\n')
  expect(text).toContain('no gateway runs')
  for (const file of await readdir(join(dir, 'data'))) expect((await readFile(join(dir, 'data', file))).includes(raw)).toBe(false)
  const gateway = stack.use(await startGateway({ dir, env: { PORT: port } }))
  expect((await models(raw)).status).toBe(200)
  expect((await models('wrong')).status).toBe(401)
  expect(gateway.stdout + gateway.stderr).not.toContain(raw)
})

it.each([
  [[], 'Usage: freeway key'],
  [['dance'], 'Usage: freeway key'],
  [['create'], 'say what the key is for'],
  [['create', 'x', '--rpm', '0'], '--rpm: expected a positive whole number'],
  [['create', 'x', '--rpm', '10001'], 'rpm_limit: expected 10000 or less'],
  [['create', 'x', '--tier', 'No Good'], 'roles[0]: must match'],
  [['create', 'x', '--speed', '1'], '--speed'],
  [['revoke'], 'say which'],
  [['revoke', 'nobody'], 'there is no key "nobody"'],
])('the command %j is told what is wrong', async (args, words) => {
  const { code, fault } = await key(...args)
  expect(code).toBe(1)
  expect(fault).toContain(words)
  expect(fault).not.toContain('    at ')
})

it('a name that fits several keys revokes none of them', async () => {
  await key('create', 'twin')
  await key('create', 'twin')
  const { code, fault } = await key('revoke', 'twin')
  expect(code).toBe(1)
  expect(fault).toMatch(/fits 2 keys, name one by its id: c\w{20}, c\w{20}/)
  expect((await key('list')).text.match(/twin/g)).toHaveLength(2)
})
