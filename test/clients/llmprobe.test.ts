// llmprobe, a conformance suite that others wrote, pointed at freeway over its own demo model. It grades the model as well; only what it
// finds of the formats is looked at here.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

interface Finding {
  id: string
  surface: string
  outcome: string
  failures?: unknown[]
}

const PROBE_MS = 25_000
/** A surface that is not there at all counts as unsupported, not as failed. */
const served = ['models', 'chat', 'messages', 'count-tokens', 'responses']
const probe = join(dirname(createRequire(import.meta.url).resolve('llmprobe/package.json')), 'bin/dist/llmprobe.mjs')
let gateway: Gateway
let home: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'freeway-llmprobe-'))
  gateway = await startGateway({ env: { FREEWAY_DEMO: 'on' } })
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

/** Its exit status tells of the model, not of the gateway. */
async function findings(model: string): Promise<Finding[]> {
  const file = join(home, 'findings.json')
  const options = ['-k', 'none', '-m', model, '--no-bench', '--no-save', '--no-color', '--save', file]
  await new Promise<void>((resolve) => {
    const env = { PATH: process.env.PATH, HOME: home }
    execFile(process.execPath, [probe, gateway.url, ...options], { env, timeout: PROBE_MS }, () => resolve())
  })
  const { conformance } = JSON.parse(await readFile(file, 'utf8')) as { conformance: { results: Finding[] } }
  return conformance.results
}

describe.each(['demo/chat', 'demo/reasoner'])('every MUST holds with %s', (model) => {
  it('in all the formats that it looks at', async () => {
    const found = await findings(model)
    expect(found.filter(({ outcome }) => outcome === 'fail' || outcome === 'unreachable')).toEqual([])
    const passed = found.filter(({ outcome }) => outcome === 'pass')
    expect(passed.map(({ surface }) => surface)).toEqual(expect.arrayContaining(served))
    expect(passed.length).toBeGreaterThan(60)
  })
})
