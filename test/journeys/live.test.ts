// What an admin sees while it happens.

import { randomBytes } from 'node:crypto'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Gateway, startGateway } from '#test/support/gateway.ts'

const ADMIN = randomBytes(24).toString('base64url')
let gateway: Gateway
beforeAll(async () => {
  gateway = await startGateway({ env: { FREEWAY_ADMIN_TOKEN: ADMIN, FREEWAY_DEMO: 'on' } })
})
afterAll(() => gateway?.[Symbol.asyncDispose]())

function chat(body: object = {}): Promise<Response> {
  return fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'a secret prompt' }], ...body }),
  })
}

async function watch() {
  const leaving = new AbortController()
  const reply = await fetch(`${gateway.url}/api/live`, { headers: { 'x-admin-token': ADMIN }, signal: leaving.signal })
  const events: EventSourceMessage[] = []
  const parser = createParser({ onEvent: (event) => events.push(event) })
  const body = reply.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
  return {
    reply,
    leave: () => leaving.abort(),
    async until(name: string): Promise<Record<string, unknown>> {
      for (;;) {
        const found = events.find(({ event }) => event === name)
        if (found) return JSON.parse(found.data) as Record<string, unknown>
        const { value, done } = await body.read()
        if (done) throw new Error(`the feed ended before ${name}; there were ${events.map(({ event }) => event)}`)
        parser.feed(new TextDecoder().decode(value))
      }
    },
  }
}

it('the admin watches requests begin and end, and nothing of what is said in them', async () => {
  const live = await watch()
  expect(live.reply.headers.get('content-type')).toContain('text/event-stream')
  await (await chat()).text()
  const started = await live.until('request_started')
  expect(started).toMatchObject({ format: 'chat/completions', stream: false, asked: null })
  const ended = await live.until('request_ended')
  expect(ended).toMatchObject({ request: started.request, outcome: 'ok', status: 200, provider: 'demo', attempts: 1 })
  expect(JSON.stringify([started, ended])).not.toContain('secret')
  live.leave()
})

it('readers who leave make room for others', async () => {
  for (let i = 0; i < 50; i++) {
    const live = await watch()
    expect(live.reply.status).toBe(200)
    live.leave()
    // It ends with what the client cut off itself.
    await live.until('never').catch(() => {})
    // The server hears of it a moment after the reader has gone.
    if (i % 10 === 9) await (await chat()).text()
  }
})

it('too many readers are told so', async () => {
  const readers = []
  for (let i = 0; i < 30; i++) readers.push(await watch())
  expect(readers.at(-1)?.reply.status).toBe(429)
  expect(readers.at(-1)?.reply.headers.get('retry-after')).toBe('10')
  for (const { leave } of readers) leave()
})

it('nobody else watches', async () => {
  expect((await fetch(`${gateway.url}/api/live`)).status).toBe(401)
})
