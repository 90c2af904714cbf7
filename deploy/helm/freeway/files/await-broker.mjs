// Waits until every server of the broker is healthy: a stream that is made before all are there gets one copy instead of three.
// Arguments: addresses of their monitors, e.g. http://nats-0.nats-headless:8222

import process from 'node:process'
import { setTimeout } from 'node:timers/promises'

const PAUSE_MS = 1_000
const ANSWER_WITHIN_MS = 2_000

for (const monitor of process.argv.slice(1)) {
  let fault
  do {
    fault = await faultOf(monitor)
    if (fault) {
      process.stdout.write(`${monitor}: ${fault}\n`)
      await setTimeout(PAUSE_MS)
    }
  } while (fault)
}

async function faultOf(monitor) {
  try {
    const answer = await fetch(`${monitor}/healthz`, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) })
    return answer.ok ? undefined : await answer.text()
  } catch (error) {
    return error.cause?.code ?? error.message
  }
}
