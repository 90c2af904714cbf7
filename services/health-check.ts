// `freeway health`: whether the process that runs with these settings is ready. For health checks of containers, which have no shell.

import { ownAddress } from './own-address.ts'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

const TIMEOUT_MS = 2_000

/** Asks the operations port, or that of the clients where there is none. Throws SettingsError with what is missing. */
export async function checkHealth({ host, port, operationsHost, operationsPort }: Settings): Promise<void> {
  const url = `${operationsPort === undefined ? ownAddress(host, port) : ownAddress(operationsHost, operationsPort)}/ready`
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
