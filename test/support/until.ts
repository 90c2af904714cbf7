// Waiting for what another process does, where no event tells of it.

const POLL_MS = 5
const DEFAULT_TIMEOUT_MS = 10_000

/** Resolves when `holds` does. Rejects after `timeoutMs` with what was waited for; `state` says how far it came. */
export async function until(
  what: string,
  holds: () => boolean | Promise<boolean>,
  { timeoutMs = DEFAULT_TIMEOUT_MS, state }: { timeoutMs?: number; state?: () => unknown } = {},
): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await holds())) {
    if (performance.now() > deadline) {
      const seen = state ? `: ${JSON.stringify(state())}` : ''
      throw new Error(`waited ${timeoutMs} ms in vain until ${what}${seen}`)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
