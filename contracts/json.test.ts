import { describe, expect, it } from 'vitest'
import { InvalidJson, isWholeObject, MAX_JSON_VALUES, parseJson, readJson } from './json.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)
const read = (text: string) => parseJson(utf8(text))

describe('JSON from outside', () => {
  it('is refused when it is deeper than it may be, and not a level before', () => {
    const nested = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`
    expect(read(nested(64))).toBeDefined()
    expect(() => read(nested(65))).toThrow(InvalidJson)
    expect(() => read(nested(100_000))).toThrow('deeper than 64')
    expect(parseJson(utf8(nested(3)), 3)).toEqual([[[]]])
    expect(() => parseJson(utf8(nested(4)), 3)).toThrow(InvalidJson)
  })

  it.each([
    ['elements', `[${'1,'.repeat(MAX_JSON_VALUES + 1)}1]`],
    ['keys', `{${Array.from({ length: MAX_JSON_VALUES / 2 + 1 }, (_, i) => `"${i}":1`).join(',')}}`],
    ['elements after text with quotes in it', `["a\\"b\\\\",${'1,'.repeat(MAX_JSON_VALUES)}1]`],
  ])('is refused when it has too many %s', (_, text) => {
    expect(() => read(text)).toThrow(`more than ${MAX_JSON_VALUES} values`)
  })

  it.each([
    ['commas', ','.repeat(3 * MAX_JSON_VALUES)],
    ['escaped quotes and commas', '\\",'.repeat(MAX_JSON_VALUES)],
    ['backslashes', '\\\\'.repeat(MAX_JSON_VALUES)],
  ])('may hold any number of %s in a text', (_, text) => {
    expect(read(`{"text":"${text}","more":[1,2]}`)).toMatchObject({ more: [1, 2] })
  })

  it('loses keys named __proto__, and tells so', () => {
    expect(readJson(utf8('{"a":[{"__proto__":{"b":1},"c":2}]}'))).toEqual({ value: { a: [{ c: 2 }] }, pruned: true })
    expect(readJson(utf8('{"constructor":1,"a":"__proto__"}'))).toEqual({ value: { constructor: 1, a: '__proto__' }, pruned: false })
  })

  it('is never quoted in the refusal', () => {
    for (const text of ['{"secret', '"secret', '[secret]', '{"a":secret}']) {
      expect(() => read(text)).toThrow(/^invalid json payload$/)
    }
  })
})

it.each([
  ['{"a":1}', true],
  ['{"a":{"b":2}} ', true],
  ['', false],
  ['{"a":1', false],
  ['{"a":{"b":2}', false],
  ['"}"', false],
  ['a}', false],
])('%j is a whole object: %s', (text, whole) => expect(isWholeObject(text)).toBe(whole))
