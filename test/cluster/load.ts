// The load generator: requests begin when their time has come, whether earlier ones are answered or not. A process of its own, so that
// nothing that is done to the deployment keeps a client from its time. Messages in: a `Load`, addresses, `{ stop }`; out: a `LoadEnd`.

import process from 'node:process'
import { ask, type Told } from './asking.ts'
import { type Chance, chanceOf } from './random.ts'
import { nextWish } from './workload.ts'

export interface Load {
  seed: number
  requestsPerSecond: number
}

/** As the load balancer has them. */
export interface Addresses {
  urls: string[]
}

export interface LoadEnd {
  told: Told[]
  stalls: Stall[]
}

/** This process got no turn: nor did, most likely, any other. */
export interface Stall {
  at: number
  ms: number
}

const PROBE_MS = 250
const PROBE_TIMEOUT_MS = 500
const TICK_MS = 20
const STALL_MS = 250

let urls: string[] = []
/** Those that said last that they are ready. */
const ready = new Set<string>()
const told: Told[] = []
const stalls: Stall[] = []
const underWay = new Set<Promise<unknown>>()
let chance: Chance
let perSecond = 0
let stopped = false
let next: NodeJS.Timeout | undefined

/** What a load balancer does: asks each address every so often whether it takes requests. */
async function probe(url: string): Promise<void> {
  try {
    const response = await fetch(`${url}/ready`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) })
    await response.arrayBuffer()
    if (response.status === 200) ready.add(url)
    else ready.delete(url)
  } catch {
    // Gone or frozen: either way not ready.
    ready.delete(url)
  }
}

function nextUrl(unlike?: string): string {
  if (unlike !== undefined) ready.delete(unlike)
  const candidates = urls.filter((url) => ready.has(url) && url !== unlike)
  return chance.pick(candidates.length > 0 ? candidates : urls)
}

function begin(dueMs: number): void {
  const request = ask(nextWish(chance), nextUrl).then((one) => void told.push(one))
  underWay.add(request)
  void request.finally(() => underWay.delete(request))
  // From when it was due, not from now: what is late does not thin out the load.
  const nextDueMs = dueMs + chance.gapMs(perSecond)
  next = setTimeout(() => begin(nextDueMs), Math.max(0, nextDueMs - performance.now()))
}

async function stop(): Promise<void> {
  stopped = true
  clearTimeout(next)
  while (underWay.size > 0) await Promise.all(underWay)
  process.send?.({ told, stalls } satisfies LoadEnd)
}

let lastTick = performance.now()
setInterval(() => {
  const late = performance.now() - lastTick - TICK_MS
  if (late > STALL_MS) stalls.push({ at: Date.now() - late, ms: late })
  lastTick = performance.now()
}, TICK_MS)
setInterval(() => {
  if (!stopped) for (const url of urls) void probe(url)
}, PROBE_MS)

process.on('message', (message: Addresses | Load | { stop: true }) => {
  if ('stop' in message) return void stop()
  if ('urls' in message) {
    // One that was just told is ready: whoever tells has asked.
    for (const url of message.urls) if (!urls.includes(url)) ready.add(url)
    urls = message.urls
    return
  }
  chance = chanceOf(message.seed)
  perSecond = message.requestsPerSecond
  begin(performance.now())
})
process.on('disconnect', () => process.exit())
process.stdout.write('{"msg":"ready"}\n')
