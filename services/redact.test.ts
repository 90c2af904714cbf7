import { describe, expect, it } from 'vitest'
import { redactText, redactValue, registerSecret } from './redact.ts'

describe('text', () => {
  it.each([
    ['Authorization: Bearer abc.def-ghi', 'abc.def'],
    ['authorization: Basic dXNlcjpwYXNz', 'dXNlcjpwYXNz'],
    ['key sk-proj-abcDEF123456 refused', 'abcDEF123456'],
    ['fai_0123456789abcdef', '0123456789abcdef'],
    ['gsk_0123456789abcdef.', '0123456789abcdef'],
    ['AIzaSyD-0123456789', 'SyD-0123456789'],
    ['GET /v1beta/models?key=SyD0123&alt=sse', 'SyD0123'],
    ['https://x.invalid/a?b=1&access_token=t0ken', 't0ken'],
    ['nats://user:pa55word@broker:4222', 'pa55word'],
    ['{"api_key":"plain-0001","model":"m"}', 'plain-0001'],
    ['x-api-key: plain-0002', 'plain-0002'],
    ['set-cookie: sid=plain-0003; path=/', 'plain-0003'],
    ['jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl', 'eyJzdWIiOiIxIn0'],
  ])('%s loses its secret', (text, secret) => {
    expect(text).toContain(secret)
    expect(redactText(text)).not.toContain(secret)
    expect(redactText(text)).toContain('[redacted]')
  })

  it.each([
    'task-something-longer',
    'risk-averse-and-long',
    'the bearer of news',
    'max_tokens: 5',
    'model qwen/qwen3-32b',
    'https://x.invalid/v1?model=a',
  ])('leaves %s as it is', (text) => expect(redactText(text)).toBe(text))

  it('loses every registered value, the longest first', () => {
    registerSecret('p(l)ain+value')
    registerSecret('p(l)ain+value-and-more')
    expect(redactText('a p(l)ain+value-and-more b p(l)ain+value c')).toBe('a [redacted] b [redacted] c')
  })

  it('is not blanked out by a registered value that is an ordinary word', () => {
    registerSecret('the')
    expect(redactText('the end')).toBe('the end')
  })

  it('is cut after the secrets are gone, so that no half of one remains', () => {
    registerSecret('half-and-half')
    const cut = redactText(`${'x'.repeat(8 * 1024 - 4)}half-and-half`)
    expect(cut).not.toContain('half')
    expect(cut.length).toBeLessThan(8 * 1024 + 40)
  })

  it('takes linear time for hostile text', () => {
    for (const piece of ['//', 'key=', 'Bearer ', 'eyJ', '?a', 'api_key', ' \t', 'sk-', '"', '://a:']) {
      const startedAt = performance.now()
      redactText(piece.repeat(32 * 1024))
      expect(performance.now() - startedAt).toBeLessThan(250)
    }
  })
})

describe('values', () => {
  it('lose what stands under a telling name, at any depth', () => {
    const value = {
      headers: { Authorization: 'plain', 'X-Api-Key': 'plain', cookie: ['plain'] },
      list: [{ adminToken: 'plain' }],
      password: { is: 'plain' },
    }
    expect(JSON.stringify(redactValue(value))).not.toContain('plain')
  })

  it('keep counts that sound like secrets', () => {
    const value = { max_tokens: 5, first_token: 120, token: null, usage: { tokens: 7 } }
    expect(redactValue(value)).toEqual(value)
  })

  it('keep errors readable, with their causes', () => {
    const error = new TypeError('refused sk-abcdef123456', { cause: Object.assign(new Error('inner'), { code: 'ECONNRESET' }) })
    expect(redactValue(error)).toMatchObject({
      name: 'TypeError',
      message: 'refused sk-[redacted]',
      stack: expect.not.stringContaining('abcdef123456'),
      cause: { name: 'Error', message: 'inner', code: 'ECONNRESET' },
    })
    expect(redactValue(new AggregateError([new Error('one')], 'all'))).toMatchObject({ errors: [{ message: 'one' }] })
  })

  it('become something JSON can hold', () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    const value = {
      big: 12n,
      nan: Number.NaN,
      bytes: new Uint8Array(3),
      when: new Date(0),
      map: new Map([['a', 1]]),
      set: new Set([1]),
      run: () => 1,
      circle,
    }
    expect(redactValue(value)).toMatchObject({
      big: '12',
      nan: 'NaN',
      bytes: '[3 bytes]',
      when: '1970-01-01T00:00:00.000Z',
      map: { a: 1 },
      set: [1],
      run: '[function]',
    })
    expect(() => JSON.stringify(redactValue(value))).not.toThrow()
  })

  it('keep a field named __proto__ a field', () => {
    const copy = redactValue(JSON.parse('{"__proto__":{"admin":true}}')) as Record<string, unknown>
    expect(copy.admin).toBeUndefined()
    expect(Object.keys(copy)).toEqual(['__proto__'])
  })

  it('are bounded in number', () => {
    expect(redactValue(Array.from({ length: 150 }, (_, i) => i))).toHaveLength(101)
  })
})
