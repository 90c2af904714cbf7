// A real browser without a window, for tests of pages: Chromium as it is installed, told what to do over its DevTools pipe.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Readable, Writable } from 'node:stream'

export interface Page {
  /** What the page complained of: errors of its scripts, and what its policy forbade. */
  readonly complaints: string[]
  /** Every address that it asked for. */
  readonly asked: string[]
  /** Resolves with the value of an expression in the page, once it is neither undefined nor false. Rejects after ten seconds. */
  until<T = unknown>(expression: string): Promise<T>
  /** A picture, as PNG in base64. */
  picture(): Promise<string>
}

export interface Browser {
  open(url: string, options?: { dark?: boolean; width?: number }): Promise<Page>
  [Symbol.asyncDispose](): Promise<void>
}

const PATIENCE_MS = 10_000
const AGAIN_MS = 20
const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']

/** Path of a browser on this machine, or FREEWAY_BROWSER. Says so on stderr when there is none. */
export function findBrowser(): string | undefined {
  const found = [process.env.FREEWAY_BROWSER ?? [], names].flat().find(runs)
  if (found === undefined) {
    process.stderr.write(
      '\nNO BROWSER FOUND: tests of pages are SKIPPED (apt install chromium-headless-shell, or set FREEWAY_BROWSER to a Chromium)\n\n',
    )
  }
  return found
}

function runs(binary: string): boolean {
  try {
    execFileSync(binary, ['--version'], { stdio: 'ignore', timeout: PATIENCE_MS })
    return true
  } catch {
    return false // not installed under this name
  }
}

export async function startBrowser(binary: string): Promise<Browser> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-browser-'))
  // Without its sandbox, which needs rights that containers lack: the pages are our own.
  const child = spawn(binary, ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe', `--user-data-dir=${dir}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    // A group of its own, to be ended as one: what Debian installs is a script that starts the browser, which starts others.
    detached: true,
  })
  process.once('exit', end)
  function end(): void {
    try {
      process.kill(-(child.pid as number), 'SIGKILL')
    } catch {
      // it has ended already
    }
  }
  const pipe = openPipe(child)
  return {
    async open(url, { dark = false, width = 1200 } = {}) {
      const { targetId } = await pipe.send<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
      const { sessionId } = await pipe.send<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
      const send = <T>(method: string, params: object = {}) => pipe.send<T>(method, params, sessionId)
      const complaints: string[] = []
      const asked: string[] = []
      pipe.listen(sessionId, (method, params) => {
        if (method === 'Network.requestWillBeSent') asked.push(params.request.url)
        if (method === 'Runtime.exceptionThrown')
          complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text)
        if (method === 'Log.entryAdded' && params.entry.level === 'error') complaints.push(params.entry.text)
      })
      for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await send(`${domain}.enable`)
      await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] })
      await send('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false })
      await send('Page.navigate', { url })
      return {
        complaints,
        asked,
        until: (expression) => until(expression, send),
        picture: async () => (await send<{ data: string }>('Page.captureScreenshot')).data,
      }
    },
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', end)
      end()
      // Also of those that it has started: the pipe is open as long as one of them lives.
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

type Send = <T>(method: string, params?: object) => Promise<T>

async function until<T>(expression: string, send: Send): Promise<T> {
  const deadlineMs = performance.now() + PATIENCE_MS
  for (;;) {
    const { result, exceptionDetails } = await send<{ result: { value?: T }; exceptionDetails?: { exception?: { description?: string } } }>(
      'Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true },
    )
    const { value } = result
    if (!exceptionDetails && value !== undefined && value !== null && value !== false) return value
    if (performance.now() > deadlineMs)
      throw new Error(`the page did not come to ${expression}: ${exceptionDetails?.exception?.description ?? value}`)
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS))
  }
}

// biome-ignore lint/suspicious/noExplicitAny: events of the protocol, each of its own shape
type Listener = (method: string, params: any) => void

/** Messages are JSON, each ended by a zero byte. */
function openPipe(child: ChildProcess) {
  const [, , , out, back] = child.stdio as unknown as [null, null, null, Writable, Readable]
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  const listeners = new Map<string, Listener>()
  let id = 0
  let text = ''
  back.setEncoding('utf8').on('data', (part: string) => {
    const messages = (text + part).split('\0')
    text = messages.pop() ?? ''
    for (const message of messages) take(JSON.parse(message))
  })
  child.once('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the browser has ended'))
  })
  child.once('error', (error) => {
    for (const { reject } of waiting.values()) reject(error)
  })

  function take(message: {
    id?: number
    result?: unknown
    error?: { message: string }
    method?: string
    params?: unknown
    sessionId?: string
  }): void {
    const asked = message.id === undefined ? undefined : waiting.get(message.id)
    if (message.id !== undefined) waiting.delete(message.id)
    if (message.error) asked?.reject(new Error(message.error.message))
    else asked?.resolve(message.result)
    if (message.method) listeners.get(message.sessionId ?? '')?.(message.method, message.params)
  }

  return {
    send<T>(method: string, params: object, sessionId?: string): Promise<T> {
      const asked = Promise.withResolvers<unknown>()
      waiting.set(++id, asked)
      out.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
      return asked.promise as Promise<T>
    },
    listen: (sessionId: string, listener: Listener) => void listeners.set(sessionId, listener),
  }
}
