// What the build of the image compiles is what its containers use. V8 refuses silently what does not fit, so only its own account tells.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { environment } from '#test/support/environment.ts'
import { root } from '#test/support/sources.ts'

const run = promisify(execFile)
const stages = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')
  .split(/^FROM /m)
  .slice(1)
/** The variables of Node's compile cache that a stage of the image sets. */
const cacheOf = (stage = '') =>
  Object.fromEntries([...stage.matchAll(/(NODE_COMPILE_CACHE\w*)=(\S+)/g)].map(([, name, value]) => [name, value]))

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'freeway-compiled-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

it('the build and the container name the same place, in the way that no user and no path is part of', () => {
  const [build, container] = stages.map(cacheOf)
  expect(build).toEqual({ NODE_COMPILE_CACHE: '/app/.compiled', NODE_COMPILE_CACHE_PORTABLE: '1' })
  expect(container).toEqual(build)
})

it('a start compiles next to nothing that the build has compiled', async () => {
  const env = { ...environment(), ...cacheOf(stages[0]), NODE_COMPILE_CACHE: join(dir, 'compiled') }
  await run(process.execPath, [join(root, 'deploy/compile.mjs')], { cwd: root, env })
  expect(readdirSync(env.NODE_COMPILE_CACHE)).toEqual([expect.not.stringMatching(new RegExp(`-${process.getuid?.()}$`))])

  const child = spawn(process.execPath, ['services/freeway.ts', 'start'], {
    cwd: root,
    env: { ...env, NODE_DEBUG_NATIVE: 'COMPILE_CACHE', PORT: '0', METRICS_PORT: '0', FREEWAY_DATA: join(dir, 'data') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  let told = ''
  let said = ''
  child.stderr.on('data', (text) => {
    told += text
  })
  for await (const text of child.stdout) {
    said += text
    if (/"msg":"ready","url"/.test(said)) child.kill('SIGTERM')
  }
  await closed
  const times = (words: string) => told.split(words).length - 1
  const accepted = times('was accepted')
  expect(accepted).toBeGreaterThan(500)
  expect(times('was rejected') + times('no such file')).toBeLessThan(accepted / 50)
})
