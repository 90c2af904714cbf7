// Figures of a test run, for whoever reads its output.

import process from 'node:process'

export function report(what: string, ms: number): void {
  process.stdout.write(`measured: ${what}: ${ms.toFixed(1)} ms\n`)
}
