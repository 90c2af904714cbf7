import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { likenessOf, textLike } from '#contracts/wire/chat-completions/likeness.ts'
import { SseReader, writeSse } from '#contracts/wire/sse.ts'
import { createRepair } from './repair.ts'

const chunk = (delta: object, more: object = {}, choice: object = {}) =>
  JSON.stringify({
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'm',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: null, ...choice }],
    ...more,
  })
const of = (data: string) => likenessOf(JSON.parse(data), data)

it.each([
  ['says something', chunk({ content: 'Hello' }), true],
  ['spaces its JSON', chunk({ content: 'Hello' }).replaceAll(':', ': '), true],
  ['says nothing', chunk({ content: '' }), false],
  ['says what JSON escapes', chunk({ content: 'a "b"\n' }), false],
  ['escapes what need not be escaped', chunk({ content: 'A' }).replace('"A"', '"\\u0041"'), false],
  ['says its role as well', chunk({ role: 'assistant', content: 'Hello' }), false],
  ['ends', chunk({ content: 'Hello' }, {}, { finish_reason: 'stop' }), false],
  ['has content elsewhere too', chunk({ content: 'Hello' }, { extra: { content: 'x' } }), false],
  ['names a key of that name first', `{"content":"x",${chunk({ content: 'Hello' }).slice(1)}`, false],
])('an event that %s is a model for others: %s, %s', (_, data, model) => expect(of(data) !== undefined).toBe(model))

describe('an event is like its model', () => {
  const model = of(chunk({ content: 'Hello' }))
  it.each([
    ['where only the text differs', chunk({ content: ' world' }), ' world'],
    ['with any letters', chunk({ content: 'グリーン ü' }), 'グリーン ü'],
    ['not without text', chunk({ content: '' }), undefined],
    ['not with escapes', chunk({ content: 'a\nb' }), undefined],
    ['not with a field more', chunk({ content: 'x', refusal: null }), undefined],
    ['not in another choice', chunk({ content: 'x' }, {}, { index: 1 }), undefined],
    ['not with usage', chunk({ content: 'x' }, { usage: { prompt_tokens: 1 } }), undefined],
  ])('%s', (_, data, text) => expect(model && textLike(model, data)).toBe(text))
})

/** The same events, once as they are and once in a form that is always parsed. */
function repaired(deltas: { text: string; index: number }[], parsed: boolean) {
  const repair = createRepair({ includeUsage: false, model: 'm' })
  let sent = ''
  const reader = new SseReader((event) => {
    const { output } = repair.push(parsed ? { ...event, plain: false } : event)
    if (output !== undefined) sent += typeof output === 'string' ? output : new TextDecoder().decode(output)
  })
  const events = [
    ...deltas.map(({ text, index }) => chunk({ content: text }, {}, { index })),
    ...[0, 1].map((index) => chunk({}, {}, { index, finish_reason: 'stop' })),
    ...deltas.slice(0, 2).map(({ text }) => chunk({ content: text })),
  ]
  for (const data of events) reader.push(new TextEncoder().encode(writeSse(data)))
  return { sent, end: repair.finish(7) }
}

it('what is recognised is repaired to the letter as what is parsed', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('<think>', '</think>', '<th', '"', '\\', '\n', 'word '),
  )
  const deltas = fc.array(fc.record({ text, index: fc.constantFrom(0, 0, 0, 1) }), { minLength: 2, maxLength: 30 })
  fc.assert(
    fc.property(deltas, (given) => {
      expect(repaired(given, false)).toEqual(repaired(given, true))
    }),
    { numRuns: 500 },
  )
})
