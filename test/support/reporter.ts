// The last line of every test run: how many passed, failed and were skipped, as the runner reports it.

import process from 'node:process'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

export default class SummaryLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const counts = count(modules, unhandled.length)
    // At the very end, so that nothing else the runner says comes after it.
    process.once('exit', () => process.stdout.write(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`))
  }
}

type Counted = Pick<TestModule, 'state' | 'errors' | 'children'>

/** A file that could not be loaded, a broken hook and an error outside every test count as failures, for the run fails because of them. */
export function count(modules: readonly Counted[], unhandled: number): { passed: number; failed: number; skipped: number } {
  let [passed, failed, skipped] = [0, unhandled, 0]
  for (const module of modules) {
    failed += module.errors().length
    for (const suite of module.children.allSuites()) failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'passed') passed++
      else if (state === 'failed') failed++
      else skipped++
    }
  }
  return { passed, failed, skipped }
}
