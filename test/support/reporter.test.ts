import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { afterEach, expect, it } from 'vitest'
import { root } from './sources.ts'

const folder = mkdtempSync(join(root, 'node_modules/.reporter-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

it('ends a run with what passed, failed and was skipped; broken files and hooks are failures', async () => {
  const imports = "import { beforeAll, describe, it, expect } from 'vitest'\n"
  writeFileSync(join(folder, 'a.test.ts'), `${imports}it('a', () => {}); it('b', () => expect(1).toBe(2)); it.skip('c', () => {})`)
  writeFileSync(
    join(folder, 'b.test.ts'),
    `${imports}describe('d', () => { beforeAll(() => { throw new Error('no') }); it('e', () => {}) })`,
  )
  writeFileSync(join(folder, 'c.test.ts'), "import './missing.ts'")
  writeFileSync(
    join(folder, 'vitest.config.ts'),
    `export default { test: { include: ['*.test.ts'], reporters: ['default', '${import.meta.dirname}/reporter.ts'] } }`,
  )

  const { code, lines } = await new Promise<{ code: number | null; lines: string[] }>((resolve) => {
    const child = execFile(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder], (_, stdout) =>
      resolve({ code: child.exitCode, lines: stdout.trimEnd().split('\n') }),
    )
  })
  expect(lines.at(-1)).toBe('1 passed, 3 failed, 2 skipped')
  expect(code).toBe(1)
})
