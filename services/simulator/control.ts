// /sim/*: what the door offers, over HTTP, for a simulator that runs as its own process.

import { z } from 'zod'
import { FreewayError } from '#contracts/failure.ts'
import type { Line } from './deliver.ts'
import { type FaultRules, faultRule } from './fault-rules.ts'
import { showPicture } from './media.ts'
import { sendJson } from './respond.ts'

export interface Controlled {
  faults: FaultRules
  stats(): Stats
}

export interface Stats {
  /** Connections, idle ones included. */
  openSockets: number
  /** Calls whose answer has neither ended nor been given up. */
  openCalls: number
  /** Since the start. */
  calls: number
}

/** GET|DELETE /sim/calls, GET|PUT|DELETE /sim/faults, GET /sim/stats, GET /sim/pictures/... */
export async function control(line: Line, path: string, body: Uint8Array, { faults, stats }: Controlled): Promise<void> {
  const { log, call } = line
  const action = `${call.method} ${path}`
  if (action === 'GET /sim/calls') return sendJson(line, log.calls)
  if (action === 'DELETE /sim/calls') {
    log.clear()
    return sendJson(line, { deleted: true })
  }
  if (action === 'GET /sim/stats') return sendJson(line, stats())
  if (action === 'GET /sim/faults') return sendJson(line, faults.list)
  if (action === 'DELETE /sim/faults' || action === 'PUT /sim/faults') {
    const rules = call.method === 'PUT' ? readRules(body) : []
    faults.clear()
    for (const { match, fault, times } of rules) faults.set(match, fault, times)
    return sendJson(line, faults.list)
  }
  if (action.startsWith('GET /sim/pictures/')) return showPicture(line, path.slice('/sim/pictures/'.length))
  throw new FreewayError('invalid_request_error', `the simulator has no ${action}`, { status: 404 })
}

function readRules(body: Uint8Array): z.infer<typeof faultRule>[] {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(body))
  } catch {
    // Not JSON: the schema below says what was expected.
  }
  const read = z.array(faultRule).safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  throw new FreewayError('invalid_request_error', `simulator rules ${issue?.path.join('.')}: ${issue?.message}`, { code: 'invalid_fault' })
}
