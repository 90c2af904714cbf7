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

const PROBE_MS = 60_000
/** A surface that is not there at all counts as unsupported, not as failed. */
const talking = ['models', 'chat', 'messages', 'count-tokens', 'responses']
const everything = [...talking, 'completions', 'embeddings', 'images', 'audio-speech']
/** It sends "[object FormData]" as plain text: its own undici does not know the FormData of this Node. Edits have tests of their own. */
const UNASKED = 'images-edit'
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
async function findings(model: string, ...more: string[]): Promise<Finding[]> {
  const file = join(home, 'findings.json')
  const options = ['-k', 'none', '-m', model, '--no-bench', '--no-save', '--no-color', '--save', file, ...more]
  await new Promise<void>((resolve) => {
    const env = { PATH: process.env.PATH, HOME: home }
    execFile(process.execPath, [probe, gateway.url, ...options], { env, timeout: PROBE_MS }, () => resolve())
  })
  const { conformance } = JSON.parse(await readFile(file, 'utf8')) as { conformance: { results: Finding[] } }
  return conformance.results
}

describe('every MUST holds', () => {
  it.each([
    { model: 'auto', more: ['--full'], surfaces: everything, least: 80 },
    { model: 'demo/reasoner', more: [], surfaces: talking, least: 60 },
  ])('with $model in all the formats that it looks at', { timeout: 90_000 }, async ({ model, more, surfaces, least }) => {
    const found = await findings(model, ...more)
    const failed = found.filter(({ outcome, id }) => (outcome === 'fail' || outcome === 'unreachable') && id !== UNASKED)
    expect(failed).toEqual([])
    const passed = found.filter(({ outcome }) => outcome === 'pass')
    expect([...new Set(passed.map(({ surface }) => surface))]).toEqual(expect.arrayContaining(surfaces))
    expect(passed.length).toBeGreaterThan(least)
  })
})
