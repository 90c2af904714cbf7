import { expect, test } from 'vitest'
import samples from '#test/fixtures/error-samples.json' with { type: 'json' }
import { readRefusal, redact } from './refusal.ts'
import type { Headers } from './retry-after.ts'

const nowMs = 1_790_000_000_000

interface Sample {
  id: string
  status: number
  headers?: Headers
  body: unknown
  code: string
  retry_after_ms?: number
}

test.each(samples.refusals as Sample[])('$id is $code', ({ status, headers = {}, body, code, retry_after_ms }) => {
  const refusal = readRefusal({ status, headers, body: typeof body === 'string' ? body : JSON.stringify(body), nowMs })
  expect(refusal.code).toBe(code)
  expect(refusal.keyFault).toBe(code === 'auth')
  expect(refusal.retryAfterMs).toBe(retry_after_ms)
  expect(refusal.detail).toContain(String(status))
  expect(refusal.detail.length).toBeLessThanOrEqual(200)
})

test.each<[number, string]>([
  [200, 'malformed'],
  [302, 'malformed'],
  [400, 'invalid_request'],
  [401, 'auth'],
  [402, 'rate_limited'],
  [403, 'auth'],
  [404, 'model_not_found'],
  [408, 'timeout'],
  [413, 'context_length'],
  [422, 'invalid_request'],
  [429, 'rate_limited'],
  [500, 'server'],
  [503, 'server'],
  [504, 'timeout'],
  [529, 'server'],
])('a bare %i is %s', (status, code) => {
  expect(readRefusal({ status, headers: {}, body: '', nowMs }).code).toBe(code)
})

test('what the request said does not decide: only fields that carry the meaning are read', () => {
  const body = JSON.stringify({
    error: { message: 'bad value', metadata: { flagged_input: 'invalid api key' }, failed_generation: 'overloaded' },
  })
  expect(readRefusal({ status: 400, headers: {}, body, nowMs }).code).toBe('invalid_request')
})

test.each(['', 'null', '[]', '"text"', '{"error":null}', '{', '{"error":{"message":{"message":{}}}}', '\u0000'])(
  'any body is survived: %j',
  (body) => {
    expect(readRefusal({ status: 500, headers: {}, body, nowMs }).code).toBe('server')
  },
)

test('a hostile body is read in no time', () => {
  const started = performance.now()
  for (const text of [
    '<'.repeat(1e6),
    'model '.repeat(2e5),
    `${'['.repeat(1e5)}`,
    JSON.stringify({ error: { message: 'invalid '.repeat(1e5) } }),
  ]) {
    readRefusal({ status: 400, headers: {}, body: text, nowMs })
  }
  expect(performance.now() - started).toBeLessThan(1000)
})

test.each([
  'Incorrect API key provided: sk-proj-abcdefghijklmnop1234. See https://x',
  'key gsk_0123456789abcdefghijABCDEFGHIJ is invalid',
  'url ?key=AIzaSyA0123456789abcdefghij&x=1',
  'Authorization: Bearer abc.def.ghi was refused',
  'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.x expired',
])('keys are cut out of %j', (text) => {
  const line = redact(text)
  expect(line).toContain('[redacted]')
  expect(line).not.toMatch(/abcdefghij|AIzaSy|abc\.def|eyJhbG/)
})

test('a detail is one short line', () => {
  expect(redact(`a\nb\u0007c ${'x '.repeat(500)}`)).toMatch(/^a b c [x ]{190,}$/)
})
