// `freeway trace`: one request's waterfall in the terminal. Without Jaeger it shows how that looks, on a gateway of its own whose first
// provider is at its limit; with JAEGER_URL it asks the gateway that runs here, or looks up a request that has been.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { spansFromJaeger } from './jaeger.ts'
import { heldByInput } from './lifecycle.ts'
import { openOtlpSink, type ToldSpan } from './otlp-sink.ts'
import { ownAddress } from './own-address.ts'
import { adminToken } from './secrets.ts'
import { loadSettings } from './settings.ts'
import { SettingsError } from './settings-error.ts'
import { waterfall } from './trace-view.ts'

const JAEGER_URL = 'http://127.0.0.1:16686'
const FOUND_WITHIN_MS = 15_000
/** Spans of several services come one after the other; the trace is whole when nothing has come for so long. */
const QUIET_MS = 1_500
const POLL_MS = 100
const PROMPT = 'Write a function in TypeScript that reverses a string.'

/** Returns what is to be printed. Throws SettingsError with words for the operator. */
export async function traceCommand([id, ...more]: string[], env: NodeJS.ProcessEnv): Promise<string> {
  if (more.length > 0 || id?.startsWith('-')) throw new SettingsError('Usage: freeway trace [trace id, request id or error id]')
  const jaeger = env.JAEGER_URL || (id === undefined ? undefined : JAEGER_URL)
  if (jaeger === undefined) return demonstrate()
  const traceId = id ?? (await askGateway(env))
  const spans = await whole(() => spansFromJaeger(jaeger, traceId), id === undefined)
  if (spans.length === 0) throw new SettingsError(`Jaeger at ${jaeger} knows no trace, request or error ${traceId}`)
  return show(spans)
}

function show(spans: readonly ToldSpan[]): string {
  const { columns = Number.POSITIVE_INFINITY, isTTY = false } = process.stdout
  const lines = waterfall(spans, { width: columns, color: isTTY && !process.env.NO_COLOR })
  return `trace ${spans[0]?.traceId}\n\n${lines.join('\n')}\n`
}

/** What `read` finds, once the root is among it and no more comes. `awaited`: it may take a while to be there at all. */
async function whole(read: () => Promise<ToldSpan[]>, awaited: boolean): Promise<ToldSpan[]> {
  const deadline = performance.now() + FOUND_WITHIN_MS
  let spans = await read()
  let changedMs = performance.now()
  while (awaited && performance.now() < deadline) {
    if (spans.some(({ kind }) => kind === 'SERVER') && performance.now() - changedMs >= QUIET_MS) break
    await sleep(POLL_MS)
    const now = await read()
    if (now.length !== spans.length) changedMs = performance.now()
    spans = now
  }
  return spans
}

async function askGateway(env: NodeJS.ProcessEnv): Promise<string> {
  const settings = loadSettings(env, process.cwd())
  const { token } = await adminToken(settings)
  return ask(ownAddress(settings.host, settings.port), { authorization: `Bearer ${token}` })
}

/** Returns the id of its trace. */
async function ask(gateway: string, headers: Record<string, string>): Promise<string> {
  const body = JSON.stringify({ model: 'auto', stream: true, messages: [{ role: 'user', content: PROMPT }] })
  const request = { method: 'POST', headers: { 'content-type': 'application/json', 'x-freeway-trace': '1', ...headers }, body }
  const response = await fetch(`${gateway}/v1/chat/completions`, request).catch((cause: unknown) => {
    throw new SettingsError(`no gateway answers at ${gateway}: start one, or set HOST and PORT`, { cause })
  })
  const text = await response.text()
  const traceId = response.headers.get('x-trace-id')
  if (traceId) return traceId
  if (!response.ok) throw new SettingsError(`the gateway at ${gateway} answered ${response.status}: ${text.slice(0, 300)}`)
  throw new SettingsError(`the gateway at ${gateway} does not trace: start it with OTEL_EXPORTER_OTLP_ENDPOINT`)
}

async function demonstrate(): Promise<string> {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'freeway-trace-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const sink = stack.use(await openOtlpSink())
  const simulator = await startFreeway(['simulate', '--port', '0'], {}, dir, stack)
  const rules = [
    { match: { model: 'swift-1' }, fault: { status: 429 } },
    { match: { model: 'steady-1' }, fault: { ttft: 120, chunks: 60, tps: 100 } },
  ]
  await fetch(`${simulator}/sim/faults`, { method: 'PUT', body: JSON.stringify(rules) })
  const provider = (model: string, more: object) => ({
    base_url: `${simulator}/v1`,
    api_key: 'none',
    models: [{ id: model, capabilities: ['chat'], context_window: 131_072, ...more }],
  })
  const providers = {
    alpha: provider('swift-1', { intelligence_rank: 1, speed_rank: 1 }),
    beta: provider('steady-1', { intelligence_rank: 50 }),
  }
  await writeFile(join(dir, 'freeway.json'), JSON.stringify({ providers }))
  const otel = { OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', OTEL_BSP_SCHEDULE_DELAY: '50' }
  const gateway = await startFreeway(['start'], { PORT: '0', FREEWAY_DEMO: 'off', FREEWAY_LOCAL: 'off', ...otel }, dir, stack)
  const traceId = await ask(gateway, {})
  const spans = await whole(async () => sink.spans.filter((span) => span.traceId === traceId), true)
  return `${show(spans)}
This was a demonstration, on a gateway of its own with two pretended providers, the first of which is at its limit.
For requests of yours: start the gateway with OTEL_EXPORTER_OTLP_ENDPOINT at Jaeger's port 4318, set JAEGER_URL to its page, and
give this command the x-trace-id or x-request-id of an answer, or the id at the end of an error.
`
}

/** Returns its address once it is ready. It ends with the stack, and if it does not begin, what it said is the error. */
async function startFreeway(args: string[], env: Record<string, string>, cwd: string, stack: AsyncDisposableStack): Promise<string> {
  const script = fileURLToPath(new URL('./freeway.ts', import.meta.url))
  const { PATH = '', HOME = '' } = process.env
  const child: ChildProcess = spawn(process.execPath, [...process.execArgv, script, ...args], {
    cwd,
    env: { PATH, HOME, ...heldByInput, ...env },
    stdio: 'pipe',
  })
  const ended = once(child, 'close')
  stack.defer(async () => {
    child.kill('SIGTERM')
    await ended
  })
  const said: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) continue
    createInterface({ input: stream }).on('line', (line) => {
      said.push(line)
      const url = line.includes('"msg":"ready"') ? /"url":"([^"]+)"/.exec(line)?.[1] : undefined
      if (url) resolve(url)
    })
  }
  void ended.then(() => reject(new SettingsError(`freeway ${args[0]} ended before it was ready:\n${said.slice(-5).join('\n')}`)))
  return promise
}
