import { describe, expect, it } from 'vitest'
import type { Offer } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { provider } from '#contracts/catalog.ts'
import { BodyUnavailable } from '#services/blob.ts'
import { offerOf } from '#test/support/offer.ts'
import { Answer } from './answer.ts'
import { createLimitReader } from './learned-limits.ts'
import type { AnswerEnd, AnswerFailure, AnswerSink } from './sink.ts'

const groq = provider.parse({ name: 'groq', base_url: 'https://groq.example/v1', models: [{ id: 'm' }] })
const sse = { 'content-type': 'text/event-stream' }
const json = { 'content-type': 'application/json' }

const chunk = (delta: object, more: object = {}) =>
  `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: null, ...more }] })}\n\n`
const text = (content: string) => chunk({ content })
const stop = chunk({}, { finish_reason: 'stop' })
const usage = `data: ${JSON.stringify({ id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 } })}\n\n`
const done = 'data: [DONE]\n\n'
const whole = {
  id: 'c1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
}

/** An answer to a request, and what became of it. */
function begin(change: Partial<Offer> = {}) {
  const told: string[] = []
  const payloads: string[] = []
  let ended: AnswerEnd | undefined
  let failed: AnswerFailure | undefined
  const sink: AnswerSink = {
    head: (framing, type) => void told.push(`head ${framing} ${type}`),
    payload(bytes, together) {
      told.push(together ? 'events' : 'bytes')
      payloads.push(new TextDecoder().decode(bytes))
    },
    whole(type, _, bytes, end) {
      told.push(`whole ${type}`)
      payloads.push(new TextDecoder().decode(bytes))
      ended = end
    },
    end(end) {
      told.push('end')
      ended = end
    },
    fail(failure) {
      told.push('fail')
      failed = failure
    },
  }
  const offer = offerOf({ model: 'groq/m', include_usage: false, ...change })
  const answer = new Answer(offer, sink, { provider: groq, limits: createLimitReader(groq) })
  return {
    answer,
    told,
    payloads,
    /** One read of the socket: what it brings is handed on when the turn is over. */
    async read(bytes: string | Uint8Array) {
      answer.onData(typeof bytes === 'string' ? utf8(bytes) : bytes)
      await Promise.resolve()
    },
    get ended() {
      return ended
    },
    get failed() {
      return failed
    },
    /** Content of all that was sent. */
    get content() {
      const events = payloads.join('').split('\n\n').filter(Boolean)
      return events.map((event) => JSON.parse(event.replace(/^data: /, '')).choices[0]?.delta?.content ?? '').join('')
    },
  }
}

describe('a stream', () => {
  it('opens with its first meaningful event, and what one read gave goes on as one', async () => {
    const { answer, told, payloads, read } = begin()
    answer.onHeaders(200, sse)
    await read(': comment\n\n')
    await read(chunk({ role: 'assistant', content: '' }))
    expect(told).not.toContain('head sse text/event-stream')
    await read(text('a') + text('b'))
    await read(text('c'))
    expect(told.filter((what) => what !== 'events')).toEqual(['head sse text/event-stream'])
    expect(payloads.at(-2)).toContain('"a"')
    expect(payloads.at(-2)).toContain('"b"')
    expect(payloads.at(-1)).toContain('"c"')
  })

  it('ends with what the provider counted; its terminator is left to the owner', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    await begun.read(text('Hi') + stop + usage + done)
    begun.answer.onEnd()
    expect(begun.told.at(-1)).toBe('end')
    expect(begun.told.filter((what) => what === 'end')).toHaveLength(1)
    expect(begun.ended).toMatchObject({ finish: 'stop', usage: { in: 7, out: 2 }, usageSource: 'provider', upstreamId: 'c1' })
    expect(begun.payloads.join('')).not.toContain('[DONE]')
    expect(begun.content).toBe('Hi')
  })

  it('ends at [DONE], whatever the provider says afterwards', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    await begun.read(text('Hi') + stop + done)
    expect(begun.told.at(-1)).toBe('end')
    const { length } = begun.told
    await begun.read(text('more'))
    begun.answer.onEnd()
    begun.answer.onError(new Error('reset'), true)
    expect(begun.told).toHaveLength(length)
    expect(begun.content).toBe('Hi')
  })

  it('may lack [DONE] if it has a finish reason', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    await begun.read(text('Hi') + stop)
    begun.answer.onEnd()
    expect(begun.ended).toMatchObject({ finish: 'stop', usageSource: 'estimated', flags: ['no_done'] })
  })

  it.each([
    ['text', { content: 'Hi' }],
    ['a tool call', { tool_calls: [{ index: 0, id: 't1', type: 'function', function: { name: 'f', arguments: '{' } }] }],
  ])('that is cut off after %s has not ended', async (_, delta) => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    await begun.read(chunk(delta))
    begun.answer.onEnd()
    expect(begun.told.at(-1)).toBe('fail')
    expect(begun.failed).toMatchObject({ phase: 'stream', code: 'truncated', status: 502 })
    expect(begun.ended).toBeUndefined()
  })

  it.each([
    ['nothing', ''],
    ['only comments', ': OPENROUTER PROCESSING\n\n: again\n\n'],
    ['only a role', chunk({ role: 'assistant', content: '' })],
    ['only [DONE]', done],
    ['an HTML page', '<html><body>Bad gateway</body></html>'],
  ])('of %s is no answer, and another provider may be asked', async (_, body) => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    if (body) await begun.read(body)
    begun.answer.onEnd()
    expect(begun.failed).toMatchObject({ phase: 'in_band', code: 'malformed', status: 502 })
    expect(begun.told).not.toContain('head sse text/event-stream')
  })

  it.each([
    ['before its first token', false],
    ['in the middle', true],
  ])('that reports an error %s fails, and what came before it is kept', async (_, after) => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    const error = `data: ${JSON.stringify({ error: { message: 'Rate limit reached', code: 429 } })}\n\n`
    await begun.read(`${after ? text('Hi') : ''}${error}`)
    expect(begun.failed).toMatchObject({ phase: 'in_band', status: 429, code: 'rate_limited', key_fault: false })
    expect(begun.content).toBe(after ? 'Hi' : '')
    expect(begun.told.at(-1)).toBe('fail')
  })

  it('whose connection breaks hands on what it has', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    begun.answer.onData(utf8(text('Hi')))
    begun.answer.onError(Object.assign(new Error('read ECONNRESET 10.0.0.7'), { code: 'ECONNRESET' }), true)
    expect(begun.content).toBe('Hi')
    expect(begun.failed).toEqual({ phase: 'stream', status: 0, code: 'truncated', detail: 'ECONNRESET' })
  })

  it('may be torn anywhere, also inside a character', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    for (const byte of utf8(text('a€模') + stop + done)) await begun.read(new Uint8Array([byte]))
    expect(begun.content).toBe('a€模')
    expect(begun.ended).toMatchObject({ finish: 'stop' })
  })

  it('with an event longer than we carry is refused', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, sse)
    const part = new Uint8Array(256 * 1024).fill(0x61)
    await begun.read('data: ')
    for (let i = 0; i < 80 && !begun.failed; i++) await begun.read(part)
    expect(begun.failed).toMatchObject({ phase: 'limit', code: 'malformed' })
  })
})

describe('a refusal', () => {
  it.each([
    [429, { 'retry-after': '17' }, 'slow down', { code: 'rate_limited', retry_after_ms: 17_000, key_fault: false }],
    [401, {}, '{"error":{"message":"Invalid API key"}}', { code: 'auth', key_fault: true }],
    [503, {}, '<html>down</html>', { code: 'overloaded', key_fault: false }],
    [503, { 'retry-after': '9' }, '', { code: 'overloaded', retry_after_ms: 9000 }],
    [400, {}, '{"error":{"message":"messages: bad"}}', { code: 'invalid_request' }],
    [302, { location: 'http://elsewhere.example' }, '', { code: 'malformed' }],
  ])('with status %d comes with what it means', async (status, headers, body, meaning) => {
    const begun = begin()
    begun.answer.onHeaders(status, headers)
    await begun.read(body)
    expect(begun.told).toEqual([])
    begun.answer.onEnd()
    expect(begun.failed).toMatchObject({ phase: 'status', status, ...meaning })
  })

  it('is read no further than 64 KiB', async () => {
    const begun = begin()
    begun.answer.onHeaders(500, {})
    await begun.read('{"error":{"message":"internal"}}')
    await begun.read(new Uint8Array(10 * 1024 * 1024))
    begun.answer.onEnd()
    expect(begun.failed).toMatchObject({ phase: 'status', status: 500, detail: '500 internal' })
  })
})

it('that names no time leaves it to the breakers how long to wait', async () => {
  const begun = begin()
  begun.answer.onHeaders(500, {})
  begun.answer.onEnd()
  expect(begun.failed).toMatchObject({ code: 'server', scope: 'model' })
  expect(begun.failed).not.toHaveProperty('retry_after_ms')
})

describe('what is known of limits', () => {
  const headers = { 'x-ratelimit-limit-requests-day': '1000', 'x-ratelimit-remaining-requests-day': '10' }
  const limit = { unit: 'requests', per: 'day', scope: 'account', max: 1000, remaining: 10 }

  it('comes with the end of an answer, streamed or not', async () => {
    const streamed = begin()
    streamed.answer.onHeaders(200, { ...sse, ...headers })
    await streamed.read(text('Hi') + stop + done)
    expect(streamed.ended?.learned).toEqual([limit])

    const atOnce = begin({ stream: false })
    atOnce.answer.onHeaders(200, { ...json, ...headers })
    await atOnce.read(JSON.stringify(whole))
    atOnce.answer.onEnd()
    expect(atOnce.ended?.learned).toEqual([limit])
  })

  it('comes with a refusal, which is surer of the limit it speaks of', async () => {
    const begun = begin()
    begun.answer.onHeaders(429, { ...json, ...headers })
    await begun.read(JSON.stringify({ error: { message: 'Limit 900 requests per day reached. Try again in 2h.' } }))
    begun.answer.onEnd()
    expect(begun.failed).toMatchObject({ code: 'rate_limited', scope: 'key', retry_after_ms: 7_200_000 })
    expect(begun.failed?.learned).toEqual([{ unit: 'requests', per: 'day', scope: 'account', max: 900, remaining: 0, reset_ms: 7_200_000 }])
  })

  it('says whose fault a refusal is, and what to change', async () => {
    const begun = begin()
    begun.answer.onHeaders(400, json)
    await begun.read(JSON.stringify({ error: { message: "property 'logit_bias' is unsupported" } }))
    begun.answer.onEnd()
    expect(begun.failed).toMatchObject({
      phase: 'status',
      status: 400,
      code: 'unsupported',
      scope: 'request',
      adapt: { drop: ['logit_bias'] },
    })
  })
})

it.each([true, false])('a call that its provider did not understand is an answer all the same (streamed: %s)', async (stream) => {
  const begun = begin({ stream })
  begun.answer.onHeaders(400, json)
  const written = '<function=get_weather>{"city":"Berlin"}</function>'
  await begun.read(
    JSON.stringify({ error: { message: 'Failed to call a function.', code: 'tool_use_failed', failed_generation: written } }),
  )
  begun.answer.onEnd()
  expect(begun.failed).toBeUndefined()
  expect(begun.ended).toMatchObject({ finish: 'tool_calls', usageSource: 'estimated' })
  expect(begun.payloads.join('')).toContain('get_weather')
  expect(begun.told[0]).toBe(stream ? 'head sse text/event-stream' : 'whole application/json')
})

it('a page with status 200 is no answer but a proxy in front of the provider', async () => {
  const begun = begin()
  begun.answer.onHeaders(200, { 'content-type': 'text/html; charset=utf-8' })
  await begun.read('<!DOCTYPE html><html><body>Login</body></html>')
  begun.answer.onEnd()
  expect(begun.failed).toMatchObject({ phase: 'in_band', status: 502, code: 'malformed', scope: 'provider', retry_after_ms: 300_000 })
})

describe('an answer that was not asked for as a stream', () => {
  it('comes whole, in bytes', async () => {
    const begun = begin({ stream: false })
    begun.answer.onHeaders(200, json)
    const body = JSON.stringify(whole)
    await begun.read(body.slice(0, 40))
    await begun.read(body.slice(40))
    expect(begun.told).toEqual([])
    begun.answer.onEnd()
    expect(begun.told).toEqual(['whole application/json'])
    expect(JSON.parse(begun.payloads[0] ?? '')).toMatchObject(whole)
    expect(begun.ended).toMatchObject({ finish: 'stop', usage: { in: 7, out: 2 }, usageSource: 'provider', upstreamId: 'c1' })
  })

  it.each([
    ['no JSON', '<html>', 'malformed', 502],
    ['half of it', JSON.stringify(whole).slice(0, 60), 'malformed', 502],
    ['nothing', '', 'malformed', 502],
    ['no choices', '{"id":"c1","object":"chat.completion"}', 'malformed', 502],
    ['an error', '{"error":{"message":"Rate limit reached","code":429}}', 'rate_limited', 429],
  ])('fails if it is %s', async (_, body, code, status) => {
    const begun = begin({ stream: false })
    begun.answer.onHeaders(200, json)
    if (body) await begun.read(body)
    begun.answer.onEnd()
    expect(begun.told).toEqual(['fail'])
    expect(begun.failed).toMatchObject({ phase: 'in_band', code, status })
  })

  it('is refused when it is longer than 32 MB', async () => {
    const begun = begin({ stream: false })
    begun.answer.onHeaders(200, json)
    const part = new Uint8Array(16 * 1024 * 1024)
    for (let i = 0; i < 3; i++) await begun.read(part)
    begun.answer.onEnd()
    expect(begun.told).toEqual(['fail'])
    expect(begun.failed).toMatchObject({ phase: 'limit', code: 'malformed' })
  })
})

describe('JSON in place of a stream', () => {
  it.each([
    ['without usage', false],
    ['with usage', true],
  ])('becomes one, %s', async (_, include_usage) => {
    const begun = begin({ include_usage })
    begun.answer.onHeaders(200, { 'content-type': 'application/json; charset=utf-8' })
    await begun.read(JSON.stringify(whole))
    begun.answer.onEnd()
    expect(begun.told).toEqual(['head sse text/event-stream', 'events', 'end'])
    expect(begun.content).toBe('Hi')
    expect(begun.payloads[0]).toContain('"finish_reason":"stop"')
    expect(begun.payloads[0]?.includes('"prompt_tokens":7')).toBe(include_usage)
    expect(begun.payloads[0]).not.toContain('[DONE]')
    expect(begun.ended).toMatchObject({ finish: 'stop', usage: { in: 7, out: 2 } })
  })

  it('may be an error', async () => {
    const begun = begin()
    begun.answer.onHeaders(200, json)
    await begun.read('{"error":{"message":"The model is overloaded","code":503}}')
    begun.answer.onEnd()
    expect(begun.failed).toMatchObject({ phase: 'in_band', status: 503, code: 'overloaded' })
  })
})

describe('without an answer', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.7:443'), { code: 'ECONNREFUSED' })
  it.each([
    ['nobody was reached', refused, false, { phase: 'connect', status: 0, code: 'network', detail: 'ECONNREFUSED' }],
    ['nobody replied', new Error('other side closed'), true, { phase: 'ttfb', status: 0, code: 'network', detail: 'Error' }],
    [
      'there was no body to send',
      new BodyUnavailable('hash differs'),
      false,
      { phase: 'body', status: 0, code: 'body', detail: 'hash differs' },
    ],
  ])('%s', (_, error, sent, failure) => {
    const begun = begin()
    begun.answer.onError(error, sent)
    begun.answer.onError(error, sent)
    expect(begun.told).toEqual(['fail'])
    expect(begun.failed).toEqual(failure)
  })
})

it('an answer that was stopped says nothing more', async () => {
  const begun = begin()
  begun.answer.onHeaders(200, sse)
  begun.answer.onData(utf8(text('Hi')))
  begun.answer.stop()
  await begun.read(stop + done)
  begun.answer.onEnd()
  begun.answer.onError(new Error('reset'), true)
  expect(begun.payloads).toEqual([])
  expect(begun.told).not.toContain('end')
})
