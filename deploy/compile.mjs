// Fills Node's compile cache (NODE_COMPILE_CACHE) while the image is built, so that no container has to compile when it starts.
// V8 takes back what it compiled only under the flags of that moment, and freeway sets some in the course of a start. Hence a real start
// with a real answer; and for what only a broker and a database need, the same steps in the same order.
// Plain JavaScript without dependencies, run in the folder of the project.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

/** Nobody listens there. What is sent is lost, and a stop does not wait for it long. */
const NO_COLLECTOR = 'http://127.0.0.1:9'

const data = mkdtempSync(join(tmpdir(), 'freeway-compile-'))
try {
  await startAndAsk()
} finally {
  rmSync(data, { recursive: true })
}
const [{ makeRoomForBuffers, collectStartupGarbage }] = await load('lifecycle.ts', 'processes.ts', 'trace/trace.ts', 'usage.ts')
makeRoomForBuffers()
await load('bus/nats.ts')
collectStartupGarbage()
await load('telemetry/store/mongo.ts')

async function startAndAsk() {
  const own = { HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0', FREEWAY_DATA: data, OTEL_EXPORTER_OTLP_ENDPOINT: NO_COLLECTOR }
  const child = spawn(process.execPath, ['services/freeway.ts', 'start'], {
    env: { ...process.env, ...own },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    const { url } = await said(child.stdout, 'ready')
    const answer = await fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'auto', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
    })
    if (!answer.ok) throw new Error(`asked for an answer, got ${answer.status}: ${await answer.text()}`)
    await answer.text()
    child.stdout.resume()
  } finally {
    child.kill('SIGTERM')
  }
  const [code, signal] = await ended
  if (code !== 0) throw new Error(`freeway ended with ${signal ?? code}`)
}

/** Resolves with the first entry of the log that has this message and an address. */
async function said(stdout, msg) {
  for await (const line of createInterface({ input: stdout })) {
    if (!line.startsWith('{')) continue
    const entry = JSON.parse(line)
    if (entry.msg === msg && entry.url) return entry
  }
  throw new Error(`freeway ended before it said "${msg}"`)
}

function load(...files) {
  return Promise.all(files.map((file) => import(pathToFileURL(resolve('services', file)).href)))
}
