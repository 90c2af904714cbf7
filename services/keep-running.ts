// Whatever ends by itself is started again, the slower the sooner it has ended.

import { setTimeout } from 'node:timers/promises'
import type { Logger } from './logger.ts'

const FIRST_RESTART_MS = 200
const SLOWEST_RESTART_MS = 10_000
/** What ran this long was healthy: its next end is mended quickly again. */
const HEALTHY_MS = 30_000

/**
 * `run` starts it (`again`: not for the first time) and resolves with its exit code when it has ended. Goes on until `signal`, then
 * resolves as soon as the last one has ended. Rejects with what `run` rejects with.
 */
export async function keepRunning(
  name: string,
  run: (again: boolean) => Promise<number | null>,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  let restartMs = FIRST_RESTART_MS
  for (let again = false; !signal.aborted; again = true) {
    const startedMs = performance.now()
    const code = await run(again)
    if (signal.aborted) return
    if (performance.now() - startedMs > HEALTHY_MS) restartMs = FIRST_RESTART_MS
    logger.error('process ended, starting it again', { process: name, code, in_ms: restartMs })
    // Being stopped meanwhile ends the wait; the loop sees it.
    await setTimeout(restartMs, undefined, { signal }).catch(() => {})
    restartMs = Math.min(restartMs * 2, SLOWEST_RESTART_MS)
  }
}
