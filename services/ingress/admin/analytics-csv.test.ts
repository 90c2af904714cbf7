import { expect, it } from 'vitest'
import type { RequestEntry } from '#contracts/question.ts'
import { csvHead, csvLine } from './analytics-csv.ts'

const entry: RequestEntry = {
  id: 'r1',
  started_at: 0,
  ended_at: null,
  client: 'anna',
  format: 'chat',
  stream: true,
  asked_model: null,
  strategy: 'auto',
  provider: 'groq',
  model: 'm',
  outcome: 'ok',
  unconfirmed: false,
  status: 200,
  error: null,
  duration_ms: 12.5,
  ttfb_ms: null,
  tokens_in: 1,
  tokens_out: 2,
  trace_id: null,
  attempts: [],
}

it('a line has a value for each column', () => {
  expect(csvHead.trim().split(',')).toHaveLength(csvLine(entry).trim().split(',').length)
  expect(csvLine(entry)).toBe('r1,1970-01-01T00:00:00.000Z,,anna,chat,,auto,groq,m,ok,false,200,,12.5,,1,2,,\r\n')
})

it('attempts stand in one cell', () => {
  const attempt = { n: 1, provider: 'groq', model: null, worker: null, result: 'rejected(429)', granted_at: 1, ended_at: 2 }
  const rest = { duration_ms: 1, ttfb_ms: null, tokens_in: 0, tokens_out: 0 }
  const attempts = [
    { ...attempt, ...rest },
    { ...attempt, ...rest, n: 2, provider: 'gemini', result: 'ok' },
  ]
  expect(csvLine({ ...entry, attempts })).toMatch(/,1:groq:rejected\(429\) 2:gemini:ok\r\n$/)
})

it.each([
  ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
  ['+1', "'+1"],
  ['-1', "'-1"],
  ['@SUM(A1)', "'@SUM(A1)"],
  ['\tx', `"'\tx"`],
  ['\r=x', `"'\r=x"`],
  ['＝x', "'＝x"],
  ['a,b', '"a,b"'],
  ['two\nlines', '"two\nlines"'],
  ['plain', 'plain'],
])('the name %j is harmless', (client, expected) => {
  expect(csvLine({ ...entry, client })).toContain(`,,${expected},chat,`)
})
