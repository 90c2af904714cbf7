// Prometheus' own judge of rules and measurements, where it is installed.

import { execFileSync, spawnSync } from 'node:child_process'
import process from 'node:process'

/** Says so on stderr when there is none. */
export function hasPromtool(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    process.stderr.write('\nNO promtool FOUND: what Prometheus would say is NOT CHECKED (apt install prometheus)\n\n')
    return false
  }
}

/** What it says, faults included. */
export function promtool(args: string[], input = ''): { ok: boolean; said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { input, encoding: 'utf8' })
  return { ok: status === 0, said: stdout + stderr }
}
