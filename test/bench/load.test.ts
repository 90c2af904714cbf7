import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { type Load, run } from './load.ts'
import { ResponseReader } from './response.ts'
import { render } from './upstream.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

/** Answers every request with `response`, and then closes if `cut`. */
async function serving(response: string, cut = false): Promise<Load> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.on('data', () => (cut ? socket.end(response) : socket.write(response)))
  }).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return { port, key: 'k', model: 'c2', stream: true, tokens: 2, connections: 2, durationMs: 30, staggerMs: 0 }
}

const chunked = (...chunks: string[]) =>
  `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`

test('complete streams count as answers without loss', async () => {
  const result = await run(await serving(chunked('data: a~\n\n', 'data: b~\n\n', 'data: [DONE]\n\n')))
  expect(result.requests).toBeGreaterThan(1)
  expect(result).toMatchObject({ errors: 0, lostFrames: 0, statuses: { 200: result.requests } })
  expect(result.firstToken.p50).toBeLessThanOrEqual(result.latency.p50)
})

test('a stream without its end mark is an error', async () => {
  const result = await run(await serving(chunked('data: a~\n\n', 'data: b~\n\n')))
  expect(result).toMatchObject({ requests: 0, lostFrames: 0 })
  expect(result.errors).toBeGreaterThan(0)
})

test('a stream of Messages ends in its own way', async () => {
  const end = 'event: message_stop\ndata: {"type":"message_stop"}\n\n'
  const result = await run({ ...(await serving(chunked('data: a~\n\n', 'data: b~\n\n', end))), format: 'messages' })
  expect(result.requests).toBeGreaterThan(1)
  expect(result.errors).toBe(0)
})

test('a missing frame is lost, even if the stream ends well', async () => {
  const result = await run(await serving(chunked('data: a~\n\n', 'data: [DONE]\n\n')))
  expect(result.lostFrames).toBe(result.requests)
  expect(result.requests).toBeGreaterThan(0)
})

test('a connection that breaks in mid-stream loses what had not come, and a new one is made', async () => {
  const result = await run(await serving('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na~\r\n', true))
  expect(result.errors).toBeGreaterThan(2)
  expect(result).toMatchObject({ requests: 0, lostFrames: result.errors, statuses: { 0: result.errors } })
})

test('a refusal is an error that says why, and loses no frame', async () => {
  const result = await run(await serving('HTTP/1.1 503 Busy\r\nContent-Length: 2\r\n\r\nno'))
  expect(result.errors).toBeGreaterThan(0)
  expect(result).toMatchObject({ requests: 0, lostFrames: 0, statuses: { 503: result.errors }, refusal: 'no' })
})

test.each([
  { framing: 'chunks', text: chunked('data: a~\n\n', 'data: b~ [DONE]\n\n') },
  {
    framing: 'a length',
    text: 'HTTP/1.1 200 OK\r\ncontent-type: x\r\nCONTENT-LENGTH: 31\r\nConnection: close\r\n\r\ndata: a~\n\ndata: b~, and [DONE]\n',
  },
])('a response by $framing is read alike, however the network cuts it', ({ text }) => {
  const bytes = Buffer.from(text)
  for (let size = 1; size <= bytes.length; size++) {
    const reader = new ResponseReader()
    const complete: boolean[] = []
    for (let at = 0; at < bytes.length; at += size) complete.push(reader.read(bytes.subarray(at, at + size)))
    expect(complete.indexOf(true)).toBe(complete.length - 1)
    expect(reader).toMatchObject({ status: 200, tokens: 2, done: true, closes: text.includes('close') })
  }
})

test.each([
  { model: 'c20', usage: false, writes: 22, delayMs: undefined },
  { model: 'c20', usage: true, writes: 23, delayMs: undefined },
  { model: 'c100d50', usage: false, writes: 102, delayMs: 50 },
])('the upstream answers $model with one token a write, an end and the mark', ({ model, usage, writes, delayMs }) => {
  const answer = render(model, usage)
  const tokens = answer?.chunks.map((chunk) => chunk.toString().split('~').length - 1) ?? []
  expect(tokens).toHaveLength(writes)
  expect(tokens.filter((n) => n === 1)).toHaveLength(Number(/\d+/.exec(model)?.[0]))
  expect(answer?.whole.toString().split('~').length).toBe(1 + Number(/\d+/.exec(model)?.[0]))
  expect(answer?.delayMs).toBe(delayMs)
})

test('the upstream knows no other models', () => {
  expect(render('gpt-4', false)).toBeUndefined()
})
