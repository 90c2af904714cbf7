import { describe, expect, it } from 'vitest'
import { createLimitReader } from './learned-limits.ts'

const nowMs = 1_790_000_000_000
const plain = { limit_headers: {}, limit_scope: 'account' as const }

describe('limits in headers', () => {
  it('are read as the catalogue says', () => {
    const groq = createLimitReader({
      limit_scope: 'model',
      limit_headers: {
        'x-ratelimit-limit-requests': 'requests limit day model',
        'x-ratelimit-remaining-requests': 'requests remaining day model',
        'x-ratelimit-reset-requests': 'requests reset day model duration',
        'x-ratelimit-limit-tokens': 'tokens limit minute model',
        'x-ratelimit-remaining-tokens': 'tokens remaining minute model',
        'x-ratelimit-reset-tokens': 'tokens reset minute model duration',
      },
    })
    const headers = {
      'content-type': 'application/json',
      'x-ratelimit-limit-requests': '1000',
      'x-ratelimit-remaining-requests': '940',
      'x-ratelimit-reset-requests': '1m26.4s',
      'x-ratelimit-limit-tokens': '8000',
      'x-ratelimit-remaining-tokens': '400',
      'x-ratelimit-reset-tokens': '7.66s',
    }
    expect(groq.all(headers, nowMs)).toEqual([
      { unit: 'requests', per: 'day', scope: 'model', max: 1000, remaining: 940, reset_ms: 86_400 },
      { unit: 'tokens', per: 'minute', scope: 'model', max: 8000, remaining: 400, reset_ms: 7660 },
    ])
  })

  it.each<[name: string, headers: Record<string, string | string[]>, limits: object[]]>([
    [
      'with the window in the name',
      { 'x-ratelimit-limit-req-minute': '60', 'x-ratelimit-remaining-req-minute': '12' },
      [{ unit: 'requests', per: 'minute', scope: 'account', max: 60, remaining: 12 }],
    ],
    [
      'of Anthropic',
      {
        'anthropic-ratelimit-requests-limit': '50',
        'anthropic-ratelimit-requests-remaining': '49',
        'anthropic-ratelimit-requests-reset': '2026-09-21T14:14:20Z',
      },
      [{ unit: 'requests', scope: 'account', max: 50, remaining: 49, reset_ms: 60_000 }],
    ],
    [
      'of the IETF draft',
      { 'ratelimit-limit': '100', 'ratelimit-remaining': '3', 'ratelimit-reset': '20' },
      [{ unit: 'requests', scope: 'account', max: 100, remaining: 3, reset_ms: 20_000 }],
    ],
    [
      'of a model',
      { 'modelscope-ratelimit-model-requests-limit': '500', 'modelscope-ratelimit-model-requests-remaining': '0' },
      [{ unit: 'requests', scope: 'model', max: 500, remaining: 0 }],
    ],
    [
      'with a time since 1970',
      { 'x-ratelimit-limit': '20', 'x-ratelimit-reset': String(nowMs + 5000) },
      [{ unit: 'requests', scope: 'account', max: 20, reset_ms: 5000 }],
    ],
    ['in several lines', { 'x-ratelimit-limit-requests': ['10', '20'] }, [{ unit: 'requests', scope: 'account', max: 10 }]],
    ['that say nothing', { 'x-ratelimit-limit-requests': 'many', 'x-ratelimit-reset-requests': '5s', 'x-limit': '5', server: 'x' }, []],
  ])('%s', (_, headers, limits) => expect(createLimitReader(plain).all(headers, nowMs)).toEqual(limits))

  it('are told at first, then now and then, and always when little is left', () => {
    const reader = createLimitReader(plain)
    const headers = (remaining: number) => ({
      'x-ratelimit-limit-requests-day': '100',
      'x-ratelimit-remaining-requests-day': String(remaining),
    })
    expect(reader.read(headers(90), 'groq-1/m', nowMs)).toHaveLength(1)
    expect(reader.read(headers(89), 'groq-1/m', nowMs + 1000)).toBeUndefined()
    expect(reader.read(headers(89), 'groq-2/m', nowMs + 1000)).toHaveLength(1)
    expect(reader.read(headers(20), 'groq-1/m', nowMs + 2000)).toEqual([
      { unit: 'requests', per: 'day', scope: 'account', max: 100, remaining: 20 },
    ])
    expect(reader.read(headers(88), 'groq-1/m', nowMs + 31_000)).toHaveLength(1)
    expect(reader.read({ server: 'x' }, 'groq-3/m', nowMs)).toBeUndefined()
  })
})
