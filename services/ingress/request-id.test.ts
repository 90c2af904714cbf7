import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { isToken } from '#contracts/subjects.ts'
import { callersId, newRequestId, withRequestId } from './request-id.ts'

it('a new id is a token of a subject, and never the same again', () => {
  const ids = Array.from({ length: 1_000 }, newRequestId)
  expect(new Set(ids).size).toBe(1_000)
  expect(ids.every((id) => isToken(id) && id.length === 22)).toBe(true)
})

it('an id begins with its time, so that ids of one moment stand together', () => {
  const before = Date.now()
  const time = Buffer.from(newRequestId(), 'base64url').readUIntBE(0, 6)
  expect(time).toBeGreaterThanOrEqual(before)
  expect(time).toBeLessThanOrEqual(Date.now())
})

describe('the caller’s own id', () => {
  it.each([
    [{ 'x-request-id': 'req:a.b_c-1' }, 'req:a.b_c-1'],
    [{ 'x-client-request-id': 'c1' }, 'c1'],
    [{ 'x-request-id': 'a', 'x-client-request-id': 'b' }, 'a'],
    [{ 'x-request-id': 'x'.repeat(128) }, 'x'.repeat(128)],
    [{ 'x-request-id': 'x'.repeat(129) }, undefined],
    [{ 'x-request-id': 'a b' }, undefined],
    [{ 'x-request-id': '{"a":1}' }, undefined],
    [{ 'x-request-id': '' }, undefined],
    [{}, undefined],
  ])('of %j is %s', (headers, id) => expect(callersId(new Headers(headers as Record<string, string>))).toBe(id))

  it('comes back under the names that both SDKs look for; else a new one does', () => {
    const named = withRequestId(new Response(), new Headers({ 'x-request-id': 'mine' }))
    expect([named.headers.get('x-request-id'), named.headers.get('request-id')]).toEqual(['mine', 'mine'])
    const fresh = withRequestId(new Response(), new Headers({ 'x-request-id': 'a\u00e4' }))
    expect(fresh.headers.get('x-request-id')).toMatch(/^[\w-]{22}$/)
    expect(fresh.headers.get('request-id')).toBe(fresh.headers.get('x-request-id'))
  })
})
