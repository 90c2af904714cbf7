// Whatever comes in, a client of its own fault gets 4xx in the documented envelope: never a 500, never its own words back,
// nothing in the log, and no call to a provider.

import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { keyHash } from '#test/support/gateway.ts'
import { openRaw, type RawAnswer, type RawConnection, sendRaw } from '#test/support/raw.ts'
import { setUpGateway } from '#test/support/setup.ts'

const KEY = 'fw-journey-key-4bX'
const CHAT = '/v1/chat/completions'
/** Stands in every bad value; no answer may repeat it. */
const CANARY = 'canary-7Zq3'
const HOST = 'Host: gateway\r\n'
const AUTH = `Authorization: Bearer ${KEY}\r\n`
const valid = { model: 'alpha/m-large', messages: [{ role: 'user', content: 'Say hello' }] }

const setup = setUpGateway({ keys: { journeys: KEY } })
let slowHeader: RawConnection
let slowBody: RawConnection

beforeAll(async () => {
  // Their time runs out while the other tests run.
  slowHeader = await openRaw(setup.gateway.port)
  slowHeader.socket.write(`GET /health HTTP/1.1\r\n${HOST}X-Slow: `)
  slowBody = await openRaw(setup.gateway.port)
  slowBody.socket.write(`POST ${CHAT} HTTP/1.1\r\n${HOST}${AUTH}Content-Length: 100\r\n\r\n{`)
})
afterAll(async () => {
  slowHeader?.socket.destroy()
  slowBody?.socket.destroy()
})
afterEach(() => {
  expect(setup.gateway.log.filter(({ level }) => level !== 'info')).toEqual([])
  expect(setup.gateway.stderr).toBe('')
})

const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }

function post(body: BodyInit, path = CHAT): Promise<Response> {
  return fetch(setup.gateway.url + path, { method: 'POST', headers, body })
}

async function expectRefused(response: Response, status: number | number[] = 400): Promise<{ code: string; param: string | null }> {
  expect([status].flat()).toContain(response.status)
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8')
  expect(response.headers.get('x-request-id')).toBeTruthy()
  return expectEnvelope(await response.text())
}

function expectEnvelope(text: string): { code: string; param: string | null } {
  expect(text).not.toContain(CANARY)
  const body = JSON.parse(text)
  expect(Object.keys(body)).toEqual(['error'])
  expect(Object.keys(body.error)).toEqual(['message', 'type', 'code', 'param'])
  expect(body.error).toEqual({
    message: expect.stringMatching(/./),
    type: expect.stringMatching(/^[a-z_]+$/),
    code: expect.stringMatching(/^[a-z_]+$/),
    param: body.error.param === null ? null : expect.any(String),
  })
  return body.error
}

function expectRawRefusal(answer: RawAnswer | undefined, status: number): void {
  expect(answer?.status).toBe(status)
  expect(answer?.headers['x-request-id']).toBeTruthy()
  expectEnvelope(answer?.body ?? '')
}

const nothingWasCalled = () => expect(setup.upstream.calls).toHaveLength(0)

/** A later, ordinary request shows that the process still serves. */
async function stillServes(): Promise<void> {
  const response = await post(JSON.stringify(valid))
  expect(response.status).toBe(200)
  await response.text()
}

describe('a body that is no JSON object', () => {
  it.each([
    '',
    ' ',
    'null',
    '7',
    'true',
    `"${CANARY}"`,
    `["${CANARY}"]`,
    `{"${CANARY}"`,
    `{"model":"${CANARY}",}`,
    `{'model':'${CANARY}'}`,
    'undefined',
    'NaN',
    '{"model":01}',
    '{"messages":[{"role":"user","content":"a\u0001"}]}',
    `model=${CANARY}&messages=1`,
    `{"a":1}{"${CANARY}":1}`,
  ])('is refused: %j', async (body) => {
    await expectRefused(await post(body))
    nothingWasCalled()
  })

  it.each([
    ['a lone continuation byte', [0x7b, 0x22, 0x80, 0x22, 0x3a, 0x31, 0x7d]],
    ['an overlong slash', [0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]],
    ['a surrogate in UTF-8', [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('is refused: %s', async (_, bytes) => {
    await expectRefused(await post(new Uint8Array(bytes)))
    nothingWasCalled()
  })

  it.each([
    ['arrays', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['arrays without end', '['.repeat(100_000)],
    ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['content', `{"messages":[{"role":"user","content":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`],
    ['an unknown field', `{"messages":[],"x":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`],
  ])('is refused when it is deeper than any honest one: %s', async (_, body) => {
    await expectRefused(await post(body))
    nothingWasCalled()
    await stillServes()
  })

  it.each([
    ['keys', `{"messages":[],${Array.from({ length: 1_000_000 }, (_, i) => `"${i}":1`).join(',')}}`],
    ['messages', `{"messages":[${'1,'.repeat(1_000_000)}1]}`],
  ])('is refused when it has a million %s, before others notice', async (_, body) => {
    const refused = post(body)
    const health: number[] = []
    for (let over = false; !over; ) {
      const askedAt = performance.now()
      await (await fetch(`${setup.gateway.url}/health`)).text()
      health.push(performance.now() - askedAt)
      over = await Promise.race([refused.then(() => true), new Promise<boolean>((soon) => setTimeout(soon, 5, false))])
    }
    await expectRefused(await refused)
    expect(Math.max(...health)).toBeLessThan(1_000)
    nothingWasCalled()
  })

  it('may begin with a byte order mark', async () => {
    const response = await post(new Uint8Array([0xef, 0xbb, 0xbf, ...new TextEncoder().encode(JSON.stringify(valid))]))
    expect(response.status).toBe(200)
    await response.text()
    expect((await setup.upstream.waitFor(() => true)).body).toMatchObject({ messages: valid.messages })
  })
})

describe('a field of the wrong type', () => {
  const wrong = [CANARY, -1e9, Number.POSITIVE_INFINITY, 0.5, true, [CANARY], [[]], [null], { [CANARY]: CANARY }, [{ [CANARY]: 1 }]]
  /** `accepts`: which of them are right. */
  const fields: [field: string, accepts: (value: unknown) => boolean][] = [
    ['model', () => false],
    ['messages', () => false],
    ['stream', (value) => value === true],
    ['stream_options', (value) => typeof value === 'object' && !Array.isArray(value)],
    ['max_tokens', () => false],
    ['max_completion_tokens', () => false],
    ['temperature', (value) => value === 0.5],
    ['top_p', (value) => value === 0.5],
    ['n', () => false],
    ['stop', (value) => value === CANARY || (Array.isArray(value) && value[0] === CANARY)],
    ['seed', (value) => value === -1e9],
    ['frequency_penalty', (value) => value === 0.5],
    ['presence_penalty', (value) => value === 0.5],
    ['logprobs', (value) => value === true],
    ['top_logprobs', () => false],
    ['tools', () => false],
    ['tool_choice', (value) => value === CANARY || (typeof value === 'object' && !Array.isArray(value))],
    ['parallel_tool_calls', (value) => value === true],
    ['response_format', () => false],
    ['reasoning_effort', (value) => value === CANARY],
    ['user', (value) => value === CANARY],
    ['strategy', (value) => value === CANARY],
    ['preferred_provider', (value) => value === CANARY],
    ['fallback', (value) => value === true],
  ]

  it.each(fields)('%s is refused and named', async (field, accepts) => {
    for (const value of wrong) {
      if (accepts(value) || (field === 'model' && value === CANARY)) continue
      // 1e999 is how JSON can say it; JSON.stringify would say null.
      const text = JSON.stringify({ ...valid, [field]: '@' }).replace(
        '"@"',
        value === Number.POSITIVE_INFINITY ? '1e999' : JSON.stringify(value),
      )
      const { param } = await expectRefused(await post(text))
      expect(param, text).toMatch(new RegExp(`^${field}(?:\\[|\\.|$)`))
    }
    nothingWasCalled()
  })

  it.each([
    ['messages', []],
    ['messages[0]', [null]],
    ['messages[0].role', [{ content: 'a' }]],
    ['messages[0].role', [{ role: CANARY, content: 'a' }]],
    ['messages[0].content', [{ role: 'user', content: 7 }]],
    ['messages[0].content[0].type', [{ role: 'user', content: [{ text: CANARY }] }]],
    ['messages[1].content[0]', [...valid.messages, { role: 'user', content: [CANARY] }]],
    ['messages[0].name', [{ role: 'user', content: 'a', name: [CANARY] }]],
    ['messages[0].tool_calls', [{ role: 'assistant', tool_calls: CANARY }]],
    [
      'messages[0].tool_calls[0].function.arguments',
      [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: { [CANARY]: 1 } } }] }],
    ],
    ['messages[0].tool_call_id', [{ role: 'tool', content: 'a', tool_call_id: 7 }]],
  ])('inside messages it is named by its path: %s', async (path, messages) => {
    const { param, code } = await expectRefused(await post(JSON.stringify({ ...valid, messages })))
    expect(param).toBe(path)
    expect(code).toBe(messages.length === 0 ? 'empty_array' : 'invalid_request_error')
    nothingWasCalled()
  })

  it('does not count when the field is unknown', async () => {
    const response = await post(JSON.stringify({ ...valid, whatever: [[CANARY]], metadata: { a: 'b' } }))
    expect(response.status).toBe(200)
    await response.text()
  })
})

describe('the size of a body', () => {
  /** The most that the process ever held; 0 where the system does not tell. */
  function memoryKb(): number {
    const status = `/proc/${setup.gateway.pid}/status`
    return existsSync(status) ? Number(/VmHWM:\s+(\d+)/.exec(readFileSync(status, 'utf8'))?.[1]) : 0
  }

  it('that is declared to be more than 32 MB is refused before any of it is read', async () => {
    const before = memoryKb()
    const head = `POST ${CHAT} HTTP/1.1\r\n${HOST}${AUTH}Content-Length: ${33 * 1024 * 1024}\r\n\r\n`
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`${head}{`)
    const [answer] = await connection.answers(1)
    connection.socket.destroy()
    expectRawRefusal(answer, 413)
    expect(memoryKb() - before).toBeLessThan(8 * 1024)
  })

  it.each([
    ['declared', `Content-Length: ${40 * 1024 * 1024}\r\n\r\n`, ''],
    ['chunked', 'Transfer-Encoding: chunked\r\n\r\n', `${(40 * 1024 * 1024).toString(16)}\r\n`],
  ])('reaches a client that reads nothing before it has sent everything: %s', async (_, framing, before) => {
    const connection = await openRaw(setup.gateway.port)
    connection.socket.pause()
    connection.socket.write(`POST ${CHAT} HTTP/1.1\r\n${HOST}${AUTH}${framing}${before}`)
    await new Promise((sent) => connection.socket.write('x'.repeat(40 * 1024 * 1024), sent))
    connection.socket.resume()
    const [answer] = await connection.answers(1)
    expectRawRefusal(answer, 413)
    connection.socket.destroy()
    nothingWasCalled()
  })

  it('reaches fetch as a plain 413', async () => {
    await expectRefused(await post('x'.repeat(33 * 1024 * 1024)), 413)
    nothingWasCalled()
  })

  it('that is not declared is refused at 32 MB, whatever is still to come', async () => {
    const before = memoryKb()
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`POST ${CHAT} HTTP/1.1\r\n${HOST}${AUTH}Transfer-Encoding: chunked\r\n\r\n`)
    const piece = `10000\r\n${'a'.repeat(0x10000)}\r\n`
    let sentBytes = 0
    let over = false
    const answered = connection.answers(1).finally(() => {
      over = true
    })
    while (!over && sentBytes < 256 * 1024 * 1024) {
      sentBytes += 0x10000
      if (!connection.socket.write(piece))
        await Promise.race([answered, new Promise((drained) => connection.socket.once('drain', drained))])
    }
    const [answer] = await answered
    expectRawRefusal(answer, 413)
    connection.socket.destroy()
    expect(sentBytes).toBeLessThan(64 * 1024 * 1024)
    expect(memoryKb() - before).toBeLessThan(2 * 32 * 1024 + 64 * 1024)
    nothingWasCalled()
    await stillServes()
  })

  it.each(['gzip', 'zstd', 'br', 'deflate', 'GZIP', 'identity, gzip', CANARY])(
    'does not shrink: Content-Encoding %s is a 415',
    async (encoding) => {
      const response = await fetch(setup.gateway.url + CHAT, {
        method: 'POST',
        headers: { ...headers, 'content-encoding': encoding },
        body: 'x',
      })
      await expectRefused(response, 415)
      nothingWasCalled()
    },
  )
})

describe('malformed HTTP', () => {
  const body = JSON.stringify(valid)
  const second = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n`
  const start = `POST ${CHAT} HTTP/1.1\r\n${HOST}${AUTH}`
  const get = `GET /health HTTP/1.1\r\n${HOST}`

  it.each([
    ['Content-Length with Transfer-Encoding', 400, `${start}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`],
    ['Transfer-Encoding with Content-Length', 400, `${start}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${second}`],
    ['two lengths', 400, `${start}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!${second}`],
    ['a length that is a list', 400, `${start}Content-Length: 5, 5\r\n\r\nhello${second}`],
    ['a negative length', 400, `${start}Content-Length: -1\r\n\r\n${second}`],
    ['a length with a plus', 400, `${start}Content-Length: +5\r\n\r\nhello${second}`],
    ['a length beyond all numbers', 400, `${start}Content-Length: 99999999999999999999\r\n\r\n${second}`],
    ['an unknown transfer coding', 400, `${start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${second}`],
    ['chunked that is not last', 400, `${start}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${second}`],
    ['a chunk without a size', 400, `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n${body}\r\n0\r\n\r\n${second}`],
    ['a chunk longer than it says', 400, `${start}Transfer-Encoding: chunked\r\n\r\n2\r\n${body}\r\n0\r\n\r\n${second}`],
    ['a chunk extension of 20 KB', 400, `${start}Transfer-Encoding: chunked\r\n\r\n1;${'a'.repeat(20_000)}\r\n{\r\n0\r\n\r\n${second}`],
    ['headers of 20 KB', 431, `${get}X-A: ${'a'.repeat(20_000)}\r\n\r\n${second}`],
    ['a target of 20 KB', 431, `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n${second}`],
    ['3,000 headers', 431, `${get}${'a: b\r\n'.repeat(3_000)}\r\n${second}`],
    ['NUL in a header', 400, `${get}X-A: a\0b\r\n\r\n${second}`],
    ['NUL in the target', 400, `GET /health\0 HTTP/1.1\r\n${HOST}\r\n${second}`],
    ['a folded header', 400, `${get}X-A: a\r\n b\r\n\r\n${second}`],
    ['a blank before the colon', 400, `${get}X-A : b\r\n\r\n${second}`],
    ['bare line feeds', 400, `GET /health HTTP/1.1\nHost: gateway\n\n${second}`],
    ['an absolute target', 400, `GET http://elsewhere/health HTTP/1.1\r\n${HOST}\r\n`],
    ['a target without a slash', 400, `GET health HTTP/1.1\r\n${HOST}\r\n${second}`],
    ['the target *', 400, `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`],
    ['no Host', 400, 'GET /health HTTP/1.1\r\n\r\n'],
    ['two Hosts', 400, 'GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
    ['an unknown method', 400, `BREW /health HTTP/1.1\r\n${HOST}\r\n${second}`],
    ['HTTP/3 in writing', 400, `GET /health HTTP/3.0\r\n${HOST}\r\n${second}`],
    ['TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('is refused once, and the connection closed: %s', async (_, status, text) => {
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(Buffer.from(text, 'latin1'))
    const answers = await connection.untilClosed()
    expect(answers).toHaveLength(1)
    expectRawRefusal(answers[0], status)
    nothingWasCalled()
  })

  it.each(['CONNECT elsewhere:443 HTTP/1.1', 'CONNECT / HTTP/1.1'])('is closed without a word: %s', async (line) => {
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`${line}\r\n${HOST}\r\n`)
    expect((await connection.untilClosed()).filter(({ status }) => status < 400)).toEqual([])
  })

  it('behind an answer that is being streamed does not write into it', async () => {
    setup.upstream.setFault({}, { tps: 100, chunks: 1_000, size: 10 })
    const text = JSON.stringify({ ...valid, stream: true })
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`${start}Content-Length: ${text.length}\r\n\r\n${text}`)
    while (!connection.received.includes('data: ')) await new Promise((more) => connection.socket.once('data', more))
    connection.socket.write('garbage\r\n\r\n')
    await connection.untilClosed()
    expect(connection.received.match(/HTTP\/1\.1/g)).toHaveLength(1)
    await setup.upstream.waitFor(({ closedBy }) => closedBy === 'peer')
  })

  it('is not HTTP/1.0, which needs no Host', async () => {
    const answer = await sendRaw(setup.gateway.port, 'GET /health HTTP/1.0\r\n\r\n')
    expect(answer?.status).toBe(200)
    expect(answer?.headers.connection).toBe('close')
  })

  it('is not an expectation', async () => {
    expect((await sendRaw(setup.gateway.port, `${get}Expect: tea\r\n\r\n`))?.status).toBe(200)
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`${start}Expect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`)
    await connection.answers(1)
    connection.socket.write(body)
    const answers = await connection.answers(2)
    expect(answers.map(({ status }) => status)).toEqual([100, 200])
    connection.socket.destroy()
  })

  it('is not an offer to upgrade', async () => {
    const upgrade =
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
    expect((await sendRaw(setup.gateway.port, get + upgrade))?.status).toBe(200)
  })

  it('is not pipelining: both requests are answered, in order', async () => {
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`${start}Content-Length: ${body.length}\r\n\r\n${body}${get}\r\n`)
    const [first, next] = await connection.answers(2)
    expect(JSON.parse(first?.body ?? '')).toHaveProperty('choices')
    expect(JSON.parse(next?.body ?? '')).toHaveProperty('status', 'ok')
    connection.socket.destroy()
  })
})

describe('a Host header', () => {
  const routes: [line: string, status: number, withKey: number][] = [
    ['GET / HTTP/1.1', 200, 200],
    ['GET /health HTTP/1.1', 200, 200],
    ['GET /v1/models HTTP/1.1', 401, 200],
    ['GET /v1/models/alpha/m-large HTTP/1.1', 401, 200],
    [`POST ${CHAT} HTTP/1.1`, 401, 400],
    ['GET /nowhere HTTP/1.1', 404, 404],
    ['DELETE /health HTTP/1.1', 405, 405],
  ]

  it.each(['a', 'gateway:3001', '127.0.0.1', '[::1]:3001', 'health', 'v1.models', 'A-B_c.example'])('has no effect: %s', async (host) => {
    for (const [line, status, withKey] of routes) {
      expect((await sendRaw(setup.gateway.port, `${line}\r\nHost: ${host}\r\n\r\n`))?.status, line).toBe(status)
      expect((await sendRaw(setup.gateway.port, `${line}\r\nHost: ${host}\r\n${AUTH}\r\n`))?.status, line).toBe(withKey)
    }
  })

  it.each([
    '',
    'a b/../',
    '[::1',
    'a@b',
    'localhost/health?',
    'localhost/health#',
    'a\\b',
    'a:b',
    'a:1:2',
    'a,b',
    '::1',
    `${CANARY}%2f`,
    'é',
    'h'.repeat(5_000),
  ])('that is malformed is refused on every route, with and without a key: %s', async (host) => {
    for (const [line] of routes) {
      for (const key of ['', AUTH]) expectRawRefusal(await sendRaw(setup.gateway.port, `${line}\r\nHost: ${host}\r\n${key}\r\n`), 400)
    }
    nothingWasCalled()
  })
})

describe('a path', () => {
  const post = (path: string, key = AUTH) => {
    const body = JSON.stringify(valid)
    return sendRaw(setup.gateway.port, `POST ${path} HTTP/1.1\r\n${HOST}${key}Content-Length: ${body.length}\r\n\r\n${body}`)
  }

  it.each([CHAT, `/v1${CHAT}`, `${CHAT}/`, `${CHAT}?beta=true`, `/v1${CHAT}?a=/../b`])(
    'is served with a key and refused without: %s',
    async (path) => {
      expect((await post(path))?.status).toBe(200)
      expectRawRefusal(await post(path, ''), 401)
      expect(setup.upstream.calls).toHaveLength(1)
    },
  )

  it.each([
    ['//v1/chat/completions', 400],
    ['/v1//chat/completions', 404],
    ['/v1/./chat/completions', 400],
    ['/health/../v1/chat/completions', 400],
    ['/health/%2e%2e/v1/chat/completions', 400],
    ['/health/%2E./v1/chat/completions', 400],
    ['/health/..;/v1/chat/completions', 400],
    ['/health/..;a=b/v1/chat/completions', 400],
    ['/health\\..\\v1\\chat\\completions', 400],
    ['/v1%2fchat%2fcompletions', 404],
    ['/v1/chat%2fcompletions', 404],
    ['/V1/CHAT/COMPLETIONS', 404],
    ['/v1/chat/completions;a=b', 404],
    ['/v1/chat/completions%00', 404],
    ['/v1/chat/completions%20', 404],
    ['/v1/chat/completion%73', 404],
    ['/v1/v1/v1/chat/completions', 404],
    ['/v1/chat', 404],
    ['/\xef\xbd\x961/chat/completions', 400],
    ['/v1/chat/complet\xc4\xb1ons', 400],
    ['/constructor', 404],
    ['/__proto__', 404],
    ['/*', 404],
    ['/%', 404],
    ['/%ff%fe', 404],
    [`/${CANARY}`, 404],
  ])('that only resembles it is not served, with and without a key: %s', async (path, status) => {
    expectRawRefusal(await post(path), status)
    expectRawRefusal(await post(path, ''), status)
    nothingWasCalled()
  })

  it.each([
    ['/v1/models/../models', 400],
    ['/v1/models/%2e%2e/models', 400],
    [`/v1/models/${CANARY}`, 404],
    ['/v1/models/%', 404],
    ['/v1/models/%E0%A4%A', 404],
    ['/v1/models/__proto__', 404],
    ['/v1/models/constructor', 404],
  ])('below /v1/models: %s', async (path, status) => {
    expectRawRefusal(await sendRaw(setup.gateway.port, `GET ${path} HTTP/1.1\r\n${HOST}${AUTH}\r\n`), status)
  })
})

describe('a method', () => {
  const paths: [path: string, allow: string][] = [
    ['/', 'GET, HEAD, OPTIONS'],
    ['/health', 'GET, HEAD, OPTIONS'],
    ['/ready', 'GET, HEAD, OPTIONS'],
    ['/v1/health', 'GET, HEAD, OPTIONS'],
    ['/v1/models', 'GET, HEAD, OPTIONS'],
    ['/v1/models/alpha/m-large', 'GET, HEAD, OPTIONS'],
    [CHAT, 'POST, OPTIONS'],
  ]

  it.each(paths)('that is wrong is a 405 which names the right ones: %s', async (path, allow) => {
    for (const method of ['PUT', 'DELETE', 'PATCH', allow.startsWith('GET') ? 'POST' : 'GET']) {
      const response = await fetch(setup.gateway.url + path, { method, headers })
      expect(response.headers.get('allow')).toBe(allow)
      await expectRefused(response, 405)
    }
  })

  it.each(paths)('OPTIONS lets browsers in, without a key: %s', async (path) => {
    const asks = {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    }
    const response = await fetch(setup.gateway.url + path, { method: 'OPTIONS', headers: asks })
    expect(response.status).toBe(204)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-allow-headers')).toContain('authorization')
    expect(response.headers.get('access-control-allow-methods')).toBeTruthy()
  })

  it('OPTIONS is no way to find out more about a path that does not exist', async () => {
    await expectRefused(await fetch(`${setup.gateway.url}/nowhere`, { method: 'OPTIONS' }), 404)
  })

  it.each(paths.filter(([, allow]) => allow.startsWith('GET')))('HEAD is answered like GET, without the body: %s', async (path) => {
    const [head, get] = await Promise.all(['HEAD', 'GET'].map((method) => fetch(setup.gateway.url + path, { method, headers })))
    expect(head?.status).toBe(get?.status)
    expect(head?.headers.get('content-type')).toBe(get?.headers.get('content-type'))
    expect(await head?.text()).toBe('')
    expect(await get?.text()).not.toBe('')
  })

  it('lets browsers read every answer, refusals too', async () => {
    for (const path of ['/health', '/nowhere', '/v1/models']) {
      const response = await fetch(setup.gateway.url + path)
      await response.text()
      expect(response.headers.get('access-control-allow-origin')).toBe('*')
    }
  })
})

describe('a model name', () => {
  it.each([
    `${CANARY} with blanks`,
    `${CANARY}\r\nx-injected: 1`,
    '*',
    '>',
    'alpha/*',
    'fw.v1.job',
    'alpha.m-large',
    '__proto__',
    'constructor',
    'toString',
    'alpha/__proto__',
    '../m-large',
    `${CANARY}\u0000`,
    `${CANARY}\u202e`,
    '\ud800',
    '😀'.repeat(20),
    `${CANARY}${'x'.repeat(10_000)}`,
  ])('that nobody offers is a 400 and goes nowhere: %j', async (model) => {
    for (const field of ['model', 'strategy', 'preferred_provider'] as const) {
      const response = await post(JSON.stringify({ ...valid, [field]: model }))
      expect(response.headers.get('x-injected')).toBeNull()
      // A strategy or preference that is merely unknown changes nothing.
      if (field !== 'model' && response.status === 200) await response.text()
      else expect((await expectRefused(response)).param).toBe(field)
    }
    expect(setup.upstream.calls.every(({ model: called }) => called === 'm-large')).toBe(true)
  })
})

describe('keys that JavaScript knows', () => {
  it('named __proto__ never reach the provider, at any depth', async () => {
    const body = `{"__proto__":{"admin":true},"model":"alpha/m-large","messages":[{"role":"user","content":"hi","__proto__":{"role":"system"}}],"metadata":{"a":{"__proto__":1}}}`
    const response = await post(body)
    expect(response.status).toBe(200)
    await response.text()
    const call = await setup.upstream.waitFor(() => true)
    expect(JSON.stringify(call.body)).not.toContain('__proto__')
    expect(call.body).toMatchObject({ messages: [{ role: 'user', content: 'hi' }], metadata: { a: {} } })
  })

  it.each(['constructor', 'prototype', 'hasOwnProperty', 'toString', 'valueOf'])('are keys like others: %s', async (key) => {
    const response = await post(JSON.stringify({ ...valid, [key]: 1, metadata: { [key]: 'x' } }))
    expect(response.status).toBe(200)
    await response.text()
  })

  it('count once when they are written twice: what was checked is what is sent', async () => {
    const body = `{"model":"nobody/none","messages":[],"model":"alpha/m-large","messages":[{"role":"user","content":"hi","content":"last"}]}`
    const response = await post(body)
    expect(response.status).toBe(200)
    await response.text()
    expect((await setup.upstream.waitFor(() => true)).body).toMatchObject({
      model: 'm-large',
      messages: [{ role: 'user', content: 'last' }],
    })
  })
})

describe('text that is not quite Unicode', () => {
  it('arrives as it was written: a lone surrogate', async () => {
    const response = await post('{"model":"alpha/echo","messages":[{"role":"user","content":"a\\ud800b"}]}')
    expect(response.status).toBe(200)
    await response.text()
    expect((await setup.upstream.waitFor(() => true)).body).toMatchObject({ messages: [{ content: 'a\ud800b' }] })
  })
})

describe('credentials', () => {
  const get = (key: string) => sendRaw(setup.gateway.port, `GET /v1/models HTTP/1.1\r\n${HOST}${key}\r\n`)

  it.each([
    ['as a bearer', `Authorization: Bearer ${KEY}\r\n`],
    ['in any case', `authorization: bearer ${KEY}\r\n`],
    ['as x-api-key', `X-Api-Key: ${KEY}\r\n`],
  ])('are taken %s', async (_, header) => {
    expect((await get(header))?.status).toBe(200)
  })

  it.each([
    ['none', ''],
    ['an empty bearer', 'Authorization: Bearer \r\n'],
    ['a bare key', `Authorization: ${KEY}\r\n`],
    ['another scheme', `Authorization: Basic ${KEY}\r\n`],
    ['one letter less', `Authorization: Bearer ${KEY.slice(0, -1)}\r\n`],
    ['more behind', `Authorization: Bearer ${KEY} ${KEY}\r\n`],
    ['a wrong one', `Authorization: Bearer ${CANARY}\r\n`],
    ['a wrong one in x-api-key', `X-Api-Key: ${CANARY}\r\n`],
    ['the hash in its place', `Authorization: Bearer ${keyHash(KEY)}\r\n`],
  ])('that are wrong get one and the same 401: %s', async (_, header) => {
    const answer = await get(header)
    expectRawRefusal(answer, 401)
    expect(JSON.parse(answer?.body ?? '').error).toMatchObject({ type: 'invalid_api_key', code: 'invalid_api_key', param: null })
    expect(answer?.headers['www-authenticate']).toBe('Bearer')
  })

  it('in the query are none', async () => {
    expectRawRefusal(await sendRaw(setup.gateway.port, `GET /v1/models?key=${KEY}&api_key=${KEY} HTTP/1.1\r\n${HOST}\r\n`), 401)
  })
})

describe('chance', () => {
  const words = fc.constantFrom('user', 'system', 'tool', 'text', 'function', 'auto', 'json_schema', 'image_url', 'required', 'a', '')
  const anything = fc.oneof(words, fc.jsonValue({ maxDepth: 3 }), fc.double(), fc.constant('@long@'.repeat(500)))
  const paths = [
    ...['model', 'messages', 'stream', 'stream_options', 'max_tokens', 'temperature', 'n', 'stop', 'tools', 'tool_choice', 'functions'],
    ...['response_format', 'logprobs', 'top_logprobs', 'seed', 'user', 'strategy', 'fallback', 'preferred_provider', 'metadata', 'x'],
    ...[
      'messages.0',
      'messages.0.role',
      'messages.0.content',
      'messages.0.content.0',
      'messages.0.content.0.type',
      'messages.0.tool_calls',
    ],
    ...[
      'messages.1',
      'messages.1.content',
      'tools.0',
      'tools.0.type',
      'tools.0.function',
      'tools.0.function.name',
      'tools.0.function.parameters',
    ],
    ...['response_format.type', 'response_format.json_schema', 'stream_options.include_usage'],
  ]
  const base = () => ({
    model: 'alpha/m-large',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }],
    stream_options: { include_usage: true },
    response_format: { type: 'text' },
  })

  it('never finds a body that is answered by anything but 2xx or a refusal in the envelope', { timeout: 120_000 }, async () => {
    const mutations = fc.array(fc.tuple(fc.constantFrom(...paths), fc.option(anything, { nil: undefined })), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(mutations, async (changes) => {
        const body: unknown = base()
        for (const [path, value] of changes) change(body, path.split('.'), value)
        const response = await post(JSON.stringify(body))
        if (response.status === 200) return void (await response.text())
        expect(response.status, JSON.stringify(body)).toBeGreaterThanOrEqual(400)
        expect(response.status, JSON.stringify(body)).toBeLessThan(500)
        await expectRefused(response, response.status)
      }),
      { numRuns: 300 },
    )
  })

  it('never finds bytes that are answered by anything but a refusal', { timeout: 60_000 }, async () => {
    const text = JSON.stringify(valid)
    const cut = fc.record({ at: fc.nat(text.length - 1), length: fc.nat(5), insert: fc.uint8Array({ maxLength: 5 }) })
    await fc.assert(
      fc.asyncProperty(cut, async ({ at, length, insert }) => {
        const bytes = Buffer.concat([Buffer.from(text.slice(0, at)), insert, Buffer.from(text.slice(at + length))])
        const response = await post(new Uint8Array(bytes))
        if (response.status === 200) return void (await response.text())
        await expectRefused(response)
      }),
      { numRuns: 200 },
    )
  })
})

function change(value: unknown, [step = '', ...rest]: string[], to: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const holder = value as Record<string, unknown>
  if (rest.length > 0) return change(holder[step], rest, to)
  if (to === undefined) delete holder[step]
  else holder[step] = to
}

describe('a client that takes its time', () => {
  it('over its headers is told so after 10 seconds', { timeout: 20_000 }, async () => {
    expectRawRefusal((await slowHeader.untilClosed())[0], 408)
  })

  it('over its body is told so after 30 seconds', { timeout: 45_000 }, async () => {
    expectRawRefusal((await slowBody.untilClosed())[0], 408)
  })
})
