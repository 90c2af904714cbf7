// The same freeway under Deno: the same answers, the same cancellation, the same end.

import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import { denoBinary } from '#test/support/deno.ts'
import { openRaw } from '#test/support/raw.ts'
import { setUpGateway } from '#test/support/setup.ts'

const setup = setUpGateway({ runtime: [denoBinary(), 'run', '-A'] })

const messages = [{ role: 'user', content: 'Say exactly: alpha beta gamma' }]

function chat(body: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${setup.gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-request-id': 'mine' },
    body: JSON.stringify({ model: 'alpha/m-large', messages, ...body }),
    ...(signal && { signal }),
  })
}

describe('freeway on Deno', () => {
  it('answers whole', async () => {
    const response = await chat({})
    expect(response.status).toBe(200)
    expect(response.headers.get('x-freeway-provider')).toBe('alpha')
    expect(response.headers.get('x-request-id')).toBe('mine')
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'alpha beta gamma' }, finish_reason: 'stop' }] })
  })

  it('streams, event by event', async () => {
    setup.upstream.setFault({}, { tps: 50 })
    const response = await chat({ stream: true })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    let text = ''
    let reads = 0
    for await (const part of response.body as ReadableStream<Uint8Array>) {
      text += new TextDecoder().decode(part)
      reads++
    }
    expect(reads).toBeGreaterThan(2)
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    const said = [...text.matchAll(/^data: (\{.*)$/gm)].map(([, json = '']) => JSON.parse(json).choices[0]?.delta.content ?? '')
    expect(said.join('')).toBe('alpha beta gamma')
  })

  it.each([
    ['in the midst of a stream', { stream: true }, { tps: 50, chunks: 1_000, size: 10 }],
    ['before the first byte of a stream', { stream: true }, { ttft: 20_000 }],
    ['before a whole answer', {}, { ttft: 20_000 }],
  ])('cancels the call when the client leaves %s', async (_, body, fault) => {
    setup.upstream.setFault({}, fault)
    const controller = new AbortController()
    const answer = chat(body, controller.signal)
    const call = await setup.upstream.waitFor((one) => one.body !== undefined)
    if ('tps' in fault) await (await answer).body?.getReader().read()
    const leftAt = Date.now()
    controller.abort()
    // The abort is its error.
    await answer.catch(() => {})
    await setup.upstream.waitFor(({ closedAt }) => closedAt !== undefined)
    expect(call.closedBy).toBe('peer')
    expect((call.closedAt ?? 0) - leftAt).toBeLessThan(1_000)
  })

  it.each([
    ['an unknown model', '/v1/chat/completions', 'POST', '{"model":"nobody/none","messages":[{"role":"user","content":"a"}]}', 400],
    ['broken JSON', '/v1/chat/completions', 'POST', '{', 400],
    ['an unknown route', '/nowhere', 'GET', null, 404],
    ['a wrong method', '/health', 'PUT', null, 405],
    ['an unknown model by id', '/v1/models/nobody', 'GET', null, 404],
  ])('refuses in the envelope: %s', async (_, path, method, body, status) => {
    const response = await fetch(setup.gateway.url + path, { method, body })
    expect(response.status).toBe(status)
    expect(response.headers.get('x-request-id')).toBeTruthy()
    const { error } = (await response.json()) as { error: object }
    expect(Object.keys(error)).toEqual(['message', 'type', 'code', 'param'])
  })

  it.each(['GET', 'HEAD', 'OPTIONS'])('answers %s', async (method) => {
    for (const path of ['/', '/health', '/v1/models']) {
      const response = await fetch(setup.gateway.url + path, { method })
      expect(response.status).toBe(method === 'OPTIONS' ? 204 : 200)
      expect((await response.text()) === '').toBe(method !== 'GET')
    }
  })

  it('refuses a body of more than 32 MB', async () => {
    const response = await fetch(`${setup.gateway.url}/v1/chat/completions`, { method: 'POST', body: 'x'.repeat(33 * 1024 * 1024) })
    expect(response.status).toBe(413)
    await response.text()
  })

  it.each(['a b/../', '[::1', 'a@b', 'localhost/v1/models?'])('is not led astray by a Host: %s', async (host) => {
    const connection = await openRaw(setup.gateway.port)
    connection.socket.write(`GET /health HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
    const [answer] = await connection.untilClosed()
    expect(answer?.status ?? 400).toBe(400)
  })

  it('is open on loopback while there is no client, which needs the address of the peer', async () => {
    const response = await fetch(`${setup.gateway.url}/v1/models`)
    expect(response.status).toBe(200)
    expect(((await response.json()) as { data: { id: string }[] }).data.map(({ id }) => id)).toContain('alpha/m-large')
  })

  // Last: it ends the process.
  it('lets a stream finish after SIGTERM, takes nobody new, and exits with 0', async () => {
    setup.upstream.setFault({}, { tps: 50, chunks: 40, size: 10 })
    const response = await chat({ stream: true })
    const reader = (response.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    setup.gateway.kill('SIGTERM')
    await setup.gateway.printed(/"msg":"stopping"/)
    let text = ''
    for (let read = await reader.read(); !read.done; read = await reader.read()) text += new TextDecoder().decode(read.value)
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(text).not.toContain('"error"')
    expect(await setup.gateway.exited).toEqual({ code: 0, signal: null })
    expect(setup.gateway.log.filter(({ level }) => level !== 'info')).toEqual([])
    const late = connect(setup.gateway.port, '127.0.0.1')
    const [error] = await once(late, 'error')
    expect((error as NodeJS.ErrnoException).code).toBe('ECONNREFUSED')
  })
})
