// The short run of the proof, as `npm run test:cluster -- --short` makes it: minutes with a whole deployment. Last of all tests.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { beforeAll, describe, expect, it } from 'vitest'
import { natsBinaries } from '#test/support/nats.ts'
import { type Breach, type Evidence, judge, rules } from './judge.ts'
import { kinds, roles } from './plan.ts'
import { summarize } from './report.ts'

/** With it a telemetry dies early: what it took with it has come again by the time that everything is counted. */
const SEED = '11'
const LIMIT_MS = 360_000

describe.skipIf(natsBinaries().length === 0)('while everything is rolled, killed, frozen and cut off', () => {
  let evidence: Evidence
  let breaches: Breach[]

  beforeAll(async () => {
    const dir = await mkdtemp(join(tmpdir(), 'freeway-evidence-'))
    try {
      const file = join(dir, 'evidence.json')
      const program = join(import.meta.dirname, 'cluster.ts')
      const run = spawn(process.execPath, [program, '--short', '--seed', SEED, '--save', file], { stdio: ['ignore', 'pipe', 'pipe'] })
      const [told, progress] = await Promise.all([text(run.stdout), text(run.stderr), once(run, 'exit')])
      process.stdout.write(`${told}\n`)
      const saved = await readFile(file, 'utf8').catch(() => {
        throw new Error(`it did not come to its end:\n${progress}`)
      })
      evidence = JSON.parse(saved)
      breaches = judge(evidence)
    } finally {
      await rm(dir, { recursive: true })
    }
  }, LIMIT_MS)

  it.each(rules)('%s', (rule) => {
    expect(breaches.filter((breach) => breach.rule === rule).map(({ detail }) => detail)).toEqual([])
  })

  // The servers of the broker are not behind cables.
  const survived = roles.flatMap((role) => ['roll', ...kinds].map((kind) => ({ kind, role })))
  it.each(survived.filter(({ kind, role }) => kind !== 'partition' || role !== 'broker'))(
    '$kind of $role: requests went on meanwhile',
    ({ kind, role }) => {
      const row = summarize(evidence.deeds, evidence.told).find((one) => one.what === kind && one.role === role)
      expect(row?.requests).toBeGreaterThan(0)
      expect(row?.streams).toBeGreaterThan(0)
      expect(row?.failed).toBeLessThan(row?.requests ?? 0)
    },
  )

  it('requests were answered, recorded and seen by providers in numbers that prove something', () => {
    const { told, entries, seen } = evidence
    for (const count of [told.length, entries.length, seen.length]) expect(count).toBeGreaterThan(1_000)
    expect(told.filter(({ stream }) => stream).length).toBeGreaterThan(500)
  })
})
