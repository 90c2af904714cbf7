// `freeway health`: whether the process that runs with these settings is ready. For health checks of containers, which have no shell.

import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

const TIMEOUT_MS = 2_000

/** Asks the operations port, or that of the clients where there is none. Throws SettingsError with what is missing. */
export async function checkHealth({ host, port, operationsHost, operationsPort }: Settings): Promise<void> {
  const url = `http://${reachable(operationsPort === undefined ? host : operationsHost)}:${operationsPort ?? port}/ready`
  let answer: Response
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
  } catch (error) {
    const { cause, message } = error as Error & { cause?: { code?: string } }
    throw new SettingsError(`${url} does not answer (${cause?.code ?? message})`)
  }
  const { missing = [] } = (await answer.json().catch(() => ({}))) as { missing?: string[] } // another program may listen there
  if (!answer.ok) throw new SettingsError(`${url}: not ready, missing: ${missing.join(', ') || `status ${answer.status}`}`)
}

/** An address to listen on is not always one to connect to. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
