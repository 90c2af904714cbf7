// What providers do wrong, before the first byte and in mid-stream: U1-U3, rows 33-45, B09, B12.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chat, type Reply } from '#test/support/chat.ts'
import { callsOf, expectInvariants, facts } from '#test/support/invariants.ts'
import { report } from '#test/support/measured.ts'
import { load, type Stack, secretOf, startStack, type TestProvider } from '#test/support/stack.ts'

type Fault = Parameters<Stack['simulator']['setFault']>[1]

/** Before the first byte. `alone`: what the client gets if there is no other provider. */
interface Early {
  name: string
  fault?: Fault
  provider?: TestProvider
  alone: { status: number; type: string; retryAfter?: string }
  /** As the worker tells it. */
  result: string
  /** Only streams can go wrong in this way. */
  streamOnly?: boolean
}

const provider502 = { status: 502, type: 'provider_error' }
const early: Early[] = [
  {
    name: '429 with Retry-After',
    fault: { status: 429, headers: { 'retry-after': '17' } },
    alone: { status: 429, type: 'rate_limit_error', retryAfter: '17' },
    result: 'rejected(429)',
  },
  { name: '500', fault: { status: 500 }, alone: provider502, result: 'rejected(500)' },
  { name: '503', fault: { status: 503 }, alone: provider502, result: 'rejected(503)' },
  { name: '401', fault: { status: 401 }, alone: provider502, result: 'rejected(401)' },
  { name: '404', fault: { status: 404 }, alone: provider502, result: 'rejected(404)' },
  { name: 'connection refused', provider: { base_url: 'http://127.0.0.1:9/v1' }, alone: provider502, result: 'failed(connect)' },
  { name: 'no TLS where it was promised', provider: { base_url: 'https://SIMULATOR/v1' }, alone: provider502, result: 'failed(connect)' },
  {
    name: 'silence before the status line',
    fault: { stall: 'head' },
    provider: { first_byte_ms: 400 },
    alone: { status: 504, type: 'provider_timeout' },
    result: 'failed(ttfb)',
  },
  {
    name: 'silence after the status line',
    fault: { stall: 0 },
    provider: { first_byte_ms: 400 },
    alone: { status: 504, type: 'provider_timeout' },
    result: 'failed(ttfb)',
  },
  { name: 'connection closed before the status line', fault: { cut: 'head' }, alone: provider502, result: 'failed(ttfb)' },
  { name: 'connection reset before the status line', fault: { reset: 'head' }, alone: provider502, result: 'failed(ttfb)' },
  { name: 'a bad status line', fault: { head: 'bad-status' }, alone: provider502, result: 'failed(ttfb)' },
  { name: 'a head that is too large', fault: { head: 'huge' }, alone: provider502, result: 'failed(ttfb)' },
  {
    name: 'a web page instead of an answer',
    fault: { status: 200, body: '<html>hello</html>' },
    alone: provider502,
    result: 'rejected(502)',
  },
  {
    name: 'an error inside a 200',
    fault: { status: 200, body: { error: { message: 'leaky words of the provider', code: 503 } } },
    alone: provider502,
    result: 'rejected(503)',
  },
  { name: 'an error as the first event', fault: { ...load, error: 0 }, alone: provider502, result: 'rejected(502)', streamOnly: true },
  { name: 'a role, then an error', fault: { ...load, error: 1 }, alone: provider502, result: 'rejected(502)', streamOnly: true },
  { name: 'a stream without an event', fault: { ...load, end: 0 }, alone: provider502, result: 'rejected(502)', streamOnly: true },
  {
    name: 'a stream of a role and nothing more',
    fault: { ...load, end: 1 },
    alone: provider502,
    result: 'rejected(502)',
    streamOnly: true,
  },
  { name: 'a role, then the connection cut', fault: { ...load, cut: 1 }, alone: provider502, result: 'failed(stream)', streamOnly: true },
]

/** In mid-stream, at event 8. */
const late: { name: string; fault: NonNullable<Fault>; provider?: TestProvider; type?: string }[] = [
  { name: 'connection closed', fault: { ...load, cut: 8 } },
  { name: 'connection closed inside an event', fault: { ...load, cut: 8, partial: true } },
  { name: 'connection reset', fault: { ...load, tps: 500, reset: 8 } },
  { name: 'a proper end without a finish reason', fault: { ...load, end: 8 } },
  { name: 'an end that looks like any other: Connection: close', fault: { ...load, cut: 8, framing: 'close' } },
  { name: 'silence', fault: { ...load, stall: 8 }, provider: { stall_ms: 400 }, type: 'provider_timeout' },
  { name: 'an event that is no JSON', fault: { ...load, malformed: 8 } },
  { name: 'an error as an event', fault: { ...load, error: 8 } },
  { name: 'an error with a name of its own', fault: { ...load, error: 8, errorAs: 'event' } },
  { name: 'an error inside a chunk', fault: { ...load, error: 8, errorAs: 'chunk' } },
]

const earlyRows = early.flatMap((row, i) =>
  (row.streamOnly ? [true] : [true, false]).map((stream) => ({ ...row, stream, id: `${i}${stream ? 's' : 'c'}` })),
)
const lateRows = late.map((row, i) => ({ ...row, id: `late-${i}` }))

let stack: Stack
beforeAll(async () => {
  // Providers of its own for each row, so that what one row teaches the router does not reach another.
  const providers: Record<string, TestProvider> = {}
  for (const { id, provider } of [...earlyRows, ...lateRows]) {
    providers[`first-${id}`] = { model: `m-${id}`, weight: 2, ...provider }
    providers[`second-${id}`] = { model: `m-${id}`, weight: 1 }
    providers[`only-${id}`] = { model: `o-${id}`, ...provider }
  }
  providers['good'] = { model: 'good' }
  stack = await startStack({ workers: [[]], providers })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

describe.each(earlyRows)('$name before the first byte (stream: $stream)', ({ fault, alone, result, stream, id }) => {
  it('is not seen by the client while there is another provider', async () => {
    const model = `m-${id}`
    if (fault) stack.simulator.setFault({ model }, fault, 1)
    const reply = await chat(stack.url, { model, stream })
    expect(reply).toMatchObject({ status: 200, finish: 'stop', error: undefined, done: stream })
    expect(reply.headers).toMatchObject({ 'x-freeway-provider': `second-${id}`, 'x-freeway-attempts': '2' })
    await expectInvariants(stack, [reply])
    expect(facts(stack, 'att.end').find(({ n, id }) => n === 1 && id.endsWith('.ingress'))?.result).toBe(result)
  })

  it('is told to the client in our own words if there is no other', async () => {
    const model = `o-${id}`
    if (fault) stack.simulator.setFault({ model }, fault, 1)
    const reply = await chat(stack.url, { model, stream })
    expectRefusal(reply, alone, `only-${id}`)
    await expectInvariants(stack, [reply])
  })
})

describe.each(lateRows)('$name in mid-stream', ({ fault, type, id }) => {
  it('ends the answer with an error and [DONE], never cleanly, and is not tried again', async () => {
    const model = `m-${id}`
    stack.simulator.setFault({ model }, fault, 1)
    const reply = await chat(stack.url, { model })
    expect(reply).toMatchObject({ status: 200, broken: false, done: true, finish: undefined, error: { type: type ?? 'provider_error' } })
    expect(reply.text.length).toBeGreaterThan(0)
    expectNoLeak(reply, `first-${id}`)
    expect(callsOf(stack, reply)).toHaveLength(1)
    await expectInvariants(stack, [reply])
    expect(facts(stack, 'req.end').map(({ outcome }) => outcome)).toEqual(['truncated'])
  })
})

describe('a clean end', () => {
  it.each([
    { name: '[DONE] is missing', fault: { omit: ['done' as const] } },
    { name: 'the connection closes after the finish reason', fault: { omit: ['done' as const], framing: 'close' as const } },
    { name: 'the provider talks on after [DONE]', fault: { after: 50 } },
    { name: 'no usage is reported', fault: { usage: 'none' as const } },
    { name: 'every event comes byte by byte', fault: { split: 1 } },
  ])('is what the client sees although $name', async ({ fault }) => {
    stack.simulator.setFault({}, { ...load, ...fault })
    const reply = await chat(stack.url, { model: 'good' })
    expect(reply).toMatchObject({ status: 200, done: true, finish: 'stop', error: undefined })
    await expectInvariants(stack, [reply])
  })
})

it('fails over fast', async () => {
  const model = 'm-1s'
  stack.simulator.setFault({ model }, { status: 500 }, 1)
  const reply = await chat(stack.url, { model, stream: false })
  report('failover after a 500, whole answer', reply.ms)
  expect(reply).toMatchObject({ status: 200 })
  await expectInvariants(stack, [reply])
})

function expectRefusal(reply: Reply, { status, type, retryAfter }: Early['alone'], provider: string): void {
  expect(reply).toMatchObject({ status, broken: false, error: { type, code: expect.any(String), param: null } })
  expect(reply.headers['content-type']).toContain('application/json')
  expect(reply.error?.message).toMatch(new RegExp(`Error id: ${provider.slice(0, 12)}-\\w{12}$`))
  if (retryAfter) expect(reply.headers['retry-after']).toBe(retryAfter)
  expectNoLeak(reply, provider)
}

/** No key, no address, no word of the provider. */
function expectNoLeak(reply: Reply, provider: string): void {
  const all = JSON.stringify([reply.error, reply.headers])
  for (const secret of [secretOf(provider), 'canary', '127.0.0.1', 'simulator', 'leaky', 'Sorry about that', 'ECONN', 'UND_ERR'])
    expect(all).not.toContain(secret)
}
