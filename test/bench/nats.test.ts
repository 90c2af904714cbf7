import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { findNatsServer } from './nats.ts'

function servers(...versions: string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'freeway-nats-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return versions.map((version) => {
    mkdirSync(join(folder, version))
    writeFileSync(join(folder, version, 'nats-server'), `#!/bin/sh\necho nats-server: v${version}\n`)
    chmodSync(join(folder, version, 'nats-server'), 0o755)
    return join(folder, version)
  })
}

test('the newest server wins, by number and not by text', async () => {
  const [old, newest, middle] = servers('99.9.10', '99.10.1', '99.9.9')
  expect(await findNatsServer({ PATH: `${old}:${newest}:${middle}` })).toEqual({ path: `${newest}/nats-server`, version: '99.10.1' })
})

test('the one that is asked for wins over newer ones', async () => {
  const [old, newest] = servers('1.0.0', '99.10.1')
  expect(await findNatsServer({ PATH: newest, NATS_SERVER_BIN: `${old}/nats-server` })).toMatchObject({ version: '1.0.0' })
})

test('a path to nothing is no server', async () => {
  expect(await findNatsServer({ NATS_SERVER_BIN: '/nonexistent/nats-server' })).toBeUndefined()
})
