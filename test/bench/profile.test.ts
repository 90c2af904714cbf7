import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { byPart, type CpuProfile, hotFunctions } from './profile.ts'

const always = { fromUs: 0, toUs: Number.POSITIVE_INFINITY }

function profile(samples: [number, number][]): CpuProfile {
  const node = (id: number, functionName: string, url = '', lineNumber = -1) => ({ id, callFrame: { functionName, url, lineNumber } })
  return {
    nodes: [
      node(1, '(idle)'),
      node(2, 'parse', 'file:///app/a.ts', 9),
      node(3, 'write', 'file:///app/b.ts', 0),
      node(4, 'parse', 'file:///app/a.ts', 9),
    ],
    startTime: 1000,
    endTime: 2000,
    samples: samples.map(([id]) => id),
    timeDeltas: samples.map(([, delta]) => delta),
  }
}

/** parse at 1010 for 20, idle at 1030 for 500, write at 1530 for 30, parse (called from elsewhere) at 1560 for 50, end. */
const someWork = profile([
  [2, 10],
  [1, 20],
  [3, 500],
  [4, 30],
  [1, 50],
])

test('a sample lasts until the next one, idle time does not count, and call sites of one function add up', () => {
  const hot = hotFunctions(someWork, always, '/app')
  expect(hot).toEqual([
    { name: 'parse', place: 'a.ts:10', selfMs: 0.07, share: 0.7 },
    { name: 'write', place: 'b.ts:1', selfMs: 0.03, share: 0.3 },
  ])
})

test('only samples within the span count', () => {
  const hot = hotFunctions(someWork, { fromUs: 1500, toUs: 1560 })
  expect(hot.map(({ name }) => name)).toEqual(['write'])
})

test('time adds up by folder, package and runtime', () => {
  const places = [
    'services/bus/memory.ts:1',
    'services/bus/sqlite.ts:9',
    'contracts/frame.ts:1',
    'node_modules/zod/v4/core.js:7',
    'node_modules/@a/b/c/d.js:7',
  ]
  const hot = [...places, 'node:events:489', 'node:internal/url:3', ''].map((place) => ({ name: 'f', place, selfMs: 1, share: 0.125 }))
  expect(byPart(hot).map(({ part, selfMs }) => `${part} ${selfMs}`)).toEqual([
    'services/bus 2',
    'node: 2',
    'contracts/frame.ts 1',
    'node_modules/zod 1',
    'node_modules/@a/b 1',
    'engine and system calls 1',
  ])
})

test('the clock of a real profile is the one of process.hrtime', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freeway-profile-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const program = `
    const now = () => Number(process.hrtime.bigint() / 1000n)
    function spin(ms) { const end = performance.now() + ms; while (performance.now() < end); }
    function before() { spin(60) }
    function within() { const end = performance.now() + 120; let n = 0; while (performance.now() < end) n += Math.sqrt(n + 1); return n }
    before(); const fromUs = now(); within(); console.log(JSON.stringify({ fromUs, toUs: now() })); before()`
  writeFileSync(join(folder, 'program.cjs'), program)
  const { stdout } = spawnSync(process.execPath, ['--cpu-prof', `--cpu-prof-dir=${folder}`, join(folder, 'program.cjs')], {
    encoding: 'utf8',
  })
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))
  const hot = hotFunctions(JSON.parse(readFileSync(join(folder, file as string), 'utf8')), JSON.parse(stdout), folder)
  expect(hot.map(({ name }) => name)).toContain('within')
  expect(hot.map(({ name }) => name)).not.toContain('spin')
  expect(hot.reduce((sum, { selfMs }) => sum + selfMs, 0)).toBeGreaterThan(60)
})
