import { Buffer } from 'node:buffer'
import { createParser } from 'eventsource-parser'
import { expect, test } from 'vitest'
import { createRegrouper, spellFrames } from './syntax.ts'

const frames = [{ data: { a: 1, b: 'x\ny' } }, { data: { error: 'no' }, event: 'error' }, { data: '[DONE]' }]

function parse(text: string): string[] {
  const data: string[] = []
  const parser = createParser({ onEvent: (event) => data.push(event.data) })
  parser.feed(text)
  return data.map((one) => (one.startsWith('{') ? JSON.stringify(JSON.parse(one)) : one))
}

test.each([
  {},
  { newline: 'crlf' },
  { newline: 'cr' },
  { newline: 'mixed' },
  { bom: true },
  { comment: 'OPENROUTER PROCESSING' },
  { blank: false },
  { multiline: true },
  { newline: 'mixed', bom: true, comment: 'x', blank: false, multiline: true },
] as const)('spelled with %j the events mean the same', (fault) => {
  // A parser may hold an event back after a lone CR until it knows that no LF follows.
  expect(parse(`${spellFrames(frames, fault).join('')}: end\n`)).toEqual(['{"a":1,"b":"x\\ny"}', '{"error":"no"}', '[DONE]'])
})

test('an event that is not finished lacks its blank line', () => {
  expect(spellFrames(frames, { omit: ['blank'] }).at(-1)).toBe('data: [DONE]')
})

const writes = (fault: Parameters<typeof createRegrouper>[0], ...parts: string[]) => {
  const regrouper = createRegrouper(fault)
  return [...parts.flatMap((part) => regrouper.push(Buffer.from(part))), ...regrouper.flush()].map(String)
}

test('writes begin where they were told to', () => {
  expect(writes({ split: 3 }, 'abcd', 'efgh')).toEqual(['abc', 'def', 'gh'])
  expect(writes({ split: 1 }, 'ab', 'c')).toEqual(['a', 'b', 'c'])
  expect(writes({ splitAt: [1, 5] }, 'abcd', 'efgh')).toEqual(['a', 'bcde', 'fgh'])
  expect(writes({ burst: 2 }, 'a', 'b', 'c')).toEqual(['ab', 'c'])
})
