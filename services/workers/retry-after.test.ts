import { expect, test } from 'vitest'
import { type Headers, readResets, readRetryAfter } from './retry-after.ts'

const wait = (headers: Headers, body: string) => readRetryAfter(headers, body, now) ?? readResets(headers, now)

const now = Date.parse('2026-11-21T11:59:00Z')
const DAY = 86_400_000

test.each<[string, number | undefined]>([
  ['0', 0],
  ['1', 1000],
  ['120', 120_000],
  [' 7 ', 7000],
  ['1.5', 1500],
  ['99999999999', DAY],
  ['-3', undefined],
  ['+5', undefined],
  ['1e3', undefined],
  ['0x10', undefined],
  ['', undefined],
  ['soon', undefined],
  ['NaN', undefined],
  ['Infinity', undefined],
  ['12 apples', undefined],
  ['Sat, 21 Nov 2026 12:00:00 GMT', 60_000],
  ['Saturday, 21-Nov-26 12:00:00 GMT', 60_000],
  ['Sat Nov 21 12:00:00 2026', 60_000],
  ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
  ['Sat, 21 Nov 2099 11:00:00 GMT', DAY],
  ['2026-11-21T12:00:00Z', 60_000],
  ['2026-11-21T13:00:00+01:00', 60_000],
  ['2026-11-21', undefined],
  ['21 Nov', undefined],
  ['17s', 17_000],
  ['7.66s', 7660],
  ['1m26.4s', 86_400],
  ['1h2m3s', 3_723_000],
  ['120ms', 120],
  ['s', undefined],
])('retry-after: %s', (value, expected) => {
  expect(readRetryAfter({ 'retry-after': value }, '', now)).toBe(expected)
})

test.each<[string, Record<string, string | string[]>, string, number | undefined]>([
  ['milliseconds win over seconds', { 'retry-after-ms': '1500', 'retry-after': '2' }, '', 1500],
  ['the first of several header lines', { 'retry-after': ['3', '9'] }, '', 3000],
  ['a header that says nothing gives way to the body', { 'retry-after': 'soon' }, 'try again in 7m12s.', 432_000],
  ['Gemini retryDelay', {}, '{"error":{"details":[{"retryDelay": "17s"}]}}', 17_000],
  [
    'Gemini prose is more exact than its retryDelay',
    {},
    '{"error":{"message":"Please retry in 34.4s.","details":[{"retryDelay":"34s"}]}}',
    34_400,
  ],
  ['prose with units', {}, 'Please wait 41230 seconds before retrying', 41_230_000],
  ['prose in minutes', {}, 'please try again in 2 minutes', 120_000],
  ['prose with several units', {}, 'Your quota resets in 2 hours and 5 minutes.', 7_500_000],
  ['prose with a week', {}, 'try again in 9 days', DAY],
  ['prose that says when', {}, 'available again after 1h2m3s', 3_723_000],
  ['milliseconds in a field', {}, '{"retryAfterMs":1500}', 1500],
  ['prose without a unit', {}, 'try again in 5', undefined],
  ['prose of other things', {}, 'I waited 20 seconds and will not try again', undefined],
  ['a field of the body', {}, '{"error":"slow down","retry_after":60}', 60_000],
  ['a model that loads', {}, '{"error":"loading","estimated_time":20.0}', 20_000],
  ['reset as a duration', { 'x-ratelimit-reset': '1m30s' }, '', 90_000],
  ['reset in seconds', { 'x-ratelimit-reset-tokens-minute': '11.382867' }, '', 11_383],
  ['reset as unix seconds', { 'x-ratelimit-reset': String(now / 1000 + 60) }, '', 60_000],
  ['reset as unix milliseconds', { 'x-ratelimit-reset': String(now + 60_000) }, '', 60_000],
  ['reset that has passed', { 'x-ratelimit-reset': String(now / 1000 - 60) }, '', 0],
  ['reset that is no time', { 'x-ratelimit-reset': 'tomorrow' }, '', undefined],
  [
    'the exhausted limit counts, not the others',
    {
      'x-ratelimit-remaining-requests': '900',
      'x-ratelimit-reset-requests': '1m26s',
      'x-ratelimit-remaining-tokens': '0',
      'x-ratelimit-reset-tokens': '8s',
    },
    '',
    8000,
  ],
  [
    'no limit known to be exhausted: the first to recover',
    { 'x-ratelimit-reset-requests': '6m0s', 'x-ratelimit-reset-tokens': '59.56s' },
    '',
    59_560,
  ],
  ['nothing', {}, '', undefined],
])('%s', (_, headers, body, expected) => {
  expect(wait(headers, body)).toBe(expected)
})

test('a hostile body is read in no time', () => {
  const started = performance.now()
  readRetryAfter({}, `${'try again in 1'.repeat(80_000)}`, now)
  readRetryAfter({ 'retry-after': `${'1m'.repeat(100_000)}` }, '"retryDelay"'.repeat(100_000), now)
  expect(performance.now() - started).toBeLessThan(1000)
})
