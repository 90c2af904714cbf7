// Whether the ports can be listened on, or are freeway's own already.

import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { ownAddress } from '../own-address.ts'
import type { Settings } from '../settings.ts'
import { type Finding, fault, ok, warn } from './finding.ts'

const ANSWER_WITHIN_MS = 2_000

type PortSettings = Pick<Settings, 'host' | 'port' | 'operationsHost' | 'operationsPort'>

export async function checkPorts({ host, port, operationsHost, operationsPort }: PortSettings): Promise<Finding[]> {
  const findings = [await checkPort('port', host, port, 'PORT')]
  if (operationsPort !== undefined) findings.push(await checkPort('port', operationsHost, operationsPort, 'METRICS_PORT'))
  const contained = existsSync('/.dockerenv') || existsSync('/run/.containerenv')
  if (contained && /^(127\.|localhost$|::1$)/.test(host)) {
    findings.push(warn('port', `HOST is ${host}: nobody outside of this container can reach it`, 'set HOST=0.0.0.0'))
  }
  return findings
}

async function checkPort(about: string, host: string, port: number, variable: string): Promise<Finding> {
  const where = port === 0 ? `any port of ${host}` : `${host}:${port}`
  const code = await listen(host, port)
  if (code === undefined) return ok(about, `${where} is free`)
  if (code === 'EADDRINUSE') {
    if (await isFreeway(host, port)) return ok(about, `freeway is running at ${where}`)
    return fault(about, `${where} is in use by another program`, `stop it, or set ${variable} to a free port`)
  }
  if (code === 'EACCES') return fault(about, `${where} needs privileges`, `set ${variable} to a port above 1023`)
  return fault(about, `nothing can listen at ${where} (${code})`, 'set HOST to an address of this machine, e.g. 127.0.0.1 or 0.0.0.0')
}

/** The system's code if it is refused. */
function listen(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

async function isFreeway(host: string, port: number): Promise<boolean> {
  try {
    const answer = await fetch(`${ownAddress(host, port)}/ready`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    const { version, missing } = (await answer.json()) as { version?: unknown; missing?: unknown }
    return version !== undefined && Array.isArray(missing)
  } catch {
    return false // something else listens there
  }
}
