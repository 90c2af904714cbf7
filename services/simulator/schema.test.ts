import { expect, test } from 'vitest'
import { fillSchema } from './schema.ts'

const object = (properties: object, required = Object.keys(properties)) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

test.each([
  ['const wins over everything', { const: 7, type: 'integer' }, '', 7],
  ['the enum value that was said is taken', { enum: ['celsius', 'fahrenheit'] }, 'in Fahrenheit please', 'fahrenheit'],
  ['the first enum value otherwise', { enum: ['a1', 'b2'] }, '', 'a1'],
  [
    'numbers are taken in the order they were said',
    object({ a: { type: 'integer' }, b: { type: 'number' } }),
    'add 12 and 30.5',
    { a: 12, b: 30.5 },
  ],
  ['a number outside the range is not taken', { type: 'integer', minimum: 10, maximum: 20 }, 'for 4 people', 10],
  ['exclusive bounds exclude', { type: 'integer', exclusiveMinimum: 5, exclusiveMaximum: 7 }, '', 6],
  ['multiples are multiples', { type: 'integer', minimum: 11, multipleOf: 5 }, '', 15],
  ['a nullable type is filled', { type: ['null', 'boolean'] }, '', false],
  ['a union takes the branch that is not null', { anyOf: [{ type: 'null' }, { type: 'integer' }] }, '', 1],
  ['arrays have as many items as they must', { type: 'array', minItems: 3, items: { type: 'integer', minimum: 2 } }, '', [2, 2, 2]],
  ['unique items differ', { type: 'array', minItems: 2, uniqueItems: true, items: { enum: ['x', 'y'] } }, '', ['x', 'y']],
  ['a tuple has its own items', { type: 'array', prefixItems: [{ const: 1 }, { const: 'two' }], items: false }, '', [1, 'two']],
  [
    'an optional property is left out',
    object({ city: { type: 'string' }, unit: { enum: ['c', 'f'] } }, ['city']),
    'weather in Paris?',
    { city: 'Paris' },
  ],
  ['parts of allOf are merged', { allOf: [object({ a: { const: 1 } }), object({ b: { const: 2 } })] }, '', { a: 1, b: 2 }],
  ['references are followed', { $ref: '#/$defs/p', $defs: { p: object({ x: { const: true } }) } }, '', { x: true }],
  [
    'a boolean is true if its name was said',
    object({ outdoor: { type: 'boolean' }, vegan: { type: 'boolean' } }),
    'outdoors please',
    { outdoor: true, vegan: false },
  ],
  [
    'text after the name of a field is its value',
    object({ path: { type: 'string' }, content: { type: 'string' } }),
    'path notes.md and content exactly:\na </b> c.',
    { path: 'notes.md', content: 'a </b> c.' },
  ],
  ['a pattern is matched', { type: 'string', pattern: '^[A-Z]{2}-\\d{3}(x|y)?$' }, '', 'AA-111'],
  ['lengths are kept', { type: 'string', minLength: 30, maxLength: 30 }, '', expect.stringMatching(/^.{30}$/)],
  ['formats are obeyed', { type: 'string', format: 'date' }, '', '2026-01-31'],
])('%s', (_, schema, said, value) => {
  expect(fillSchema(schema, said)).toEqual(value)
})

test('a recursive schema ends', () => {
  const tree = {
    $ref: '#/$defs/node',
    $defs: { node: object({ name: { type: 'string' }, children: { type: 'array', items: { $ref: '#/$defs/node' } } }) },
  }
  const text = JSON.stringify(fillSchema(tree, ''))
  expect(text).toMatch(/"children":\[\]/)
  expect(text.length).toBeLessThan(2000)
})
