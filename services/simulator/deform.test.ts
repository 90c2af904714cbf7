import { expect, test } from 'vitest'
import { type Json, spoilReply, spoilStream } from './deform.ts'
import type { Fault } from './fault.ts'

const usage = { prompt_tokens: 10, completion_tokens: 4, total_tokens: 14 }
const chunk = (delta: object, finish_reason: string | null = null): Json => ({
  id: 'x',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason }],
})
const text = [
  chunk({ role: 'assistant', content: '' }),
  chunk({ content: 'a' }),
  chunk({ content: 'b' }),
  chunk({}, 'stop'),
  { id: 'x', choices: [], usage },
  '[DONE]',
]
const tool = (index: number, rest: object) => chunk({ tool_calls: [{ index, ...rest }] })
const calls = [
  chunk({ role: 'assistant', content: null }),
  tool(0, { id: 'c0', type: 'function', function: { name: 'f', arguments: '' } }),
  tool(0, { function: { arguments: '{"a":1}' } }),
  tool(1, { id: 'c1', type: 'function', function: { name: 'g', arguments: '' } }),
  tool(1, { function: { arguments: '{}' } }),
  chunk({}, 'tool_calls'),
  '[DONE]',
]
const spoil = (payloads: Json[], fault: Fault) => spoilStream(payloads, fault).map((frame) => frame.data)
const deltas = (fault: Fault) => spoil(calls, fault).flatMap((data: Json) => data.choices?.[0]?.delta.tool_calls ?? [])
const usages = (fault: Fault) => spoil(text, fault).flatMap((data: Json) => (data.usage === undefined ? [] : [data.usage]))

test('role, finish reason and [DONE] can be left out', () => {
  expect(spoil(text, { omit: ['role'] })[0].choices[0].delta).toEqual({ content: '' })
  expect(spoil(text, { omit: ['finish'] }).map((data: Json) => data.choices?.[0]?.finish_reason)).not.toContain('stop')
  expect(spoil(text, { omit: ['done'] })).toHaveLength(text.length - 1)
})

test('the finish reason can be any word', () => {
  expect(spoil(calls, { finish: 'stop' })[5].choices[0].finish_reason).toBe('stop')
  expect(spoil(text, { finish: '' })[3].choices[0].finish_reason).toBe('')
})

test('an error comes at its place, in its form, and ends the stream', () => {
  expect(spoil(text, { error: 0 })).toEqual([{ error: expect.objectContaining({ type: 'server_error' }) }, '[DONE]'])
  expect(spoilStream(text, { error: 2, errorAs: 'event', errorBody: { error: 'x' }, omit: ['done'] }).slice(2)).toEqual([
    { data: { error: 'x' }, event: 'error' },
  ])
  expect(spoil(text, { error: 1, errorAs: 'chunk' })[1]).toMatchObject({ id: 'x', error: {}, choices: [{ finish_reason: 'error' }] })
  expect(spoil(text, { error: -1 }).slice(-3)).toEqual([text[4], { error: expect.anything() }, '[DONE]'])
})

test('one event can be rubbish', () => {
  expect(() => JSON.parse(spoil(text, { malformed: 1 })[1])).toThrow()
  expect(spoil(text, { malformed: 1 })[2]).toEqual(text[2])
})

test('it can talk on after [DONE]', () => {
  expect(spoil(text, { after: 2 }).slice(5)).toEqual(['[DONE]', expect.objectContaining({ id: 'x' }), expect.objectContaining({ id: 'x' })])
})

test.each([
  ['no-index', [undefined, undefined, undefined, undefined], 'index'],
  ['index-0', [0, 0, 0, 0], 'index'],
  ['first-index-1', [1, 1, 2, 2], 'index'],
  ['no-type', [undefined, undefined, undefined, undefined], 'type'],
  ['no-id', [undefined, undefined, undefined, undefined], 'id'],
  ['null-id', [null, undefined, null, undefined], 'id'],
  ['empty-id', ['', undefined, '', undefined], 'id'],
  ['same-id', ['call_same', undefined, 'call_same', undefined], 'id'],
  ['repeat', ['c0', 'c0', 'c1', 'c1'], 'id'],
  ['whole', ['c0', 'c1'], 'id'],
  ['in-finish', ['c0', 'c1'], 'id'],
] as const)('tool deltas: %s', (habit, values, key) => {
  const spoilt = deltas({ tools: [habit] })
  expect(spoilt.map((call: Json) => call[key])).toEqual(values)
  if (!habit.endsWith('index') && habit !== 'index-0')
    expect(spoilt.map((call: Json) => call.function.arguments).join('')).toBe('{"a":1}{}')
})

test.each([
  ['none', []],
  ['first', [usage]],
  ['last', [usage]],
  ['choices', [usage]],
  ['negative', [{ ...usage, completion_tokens: -1, total_tokens: 9 }]],
  ['string', [{ prompt_tokens: '10', completion_tokens: '4', total_tokens: '14' }]],
  ['x_groq', []],
] as const)('usage: %s', (habit, reported) => {
  expect(usages({ usage: habit })).toEqual(reported)
})

test('usage on every chunk grows to the total', () => {
  expect(usages({ usage: 'every' }).map((one: Json) => one.completion_tokens)).toEqual([1, 2, 3, 4])
})

test('x_groq carries the usage in its own place', () => {
  expect(spoil(text, { usage: 'x_groq' })[3].x_groq.usage).toEqual(usage)
})

test('a reply that is not streamed is spoilt alike, and the original stays whole', () => {
  const reply = { object: 'chat.completion', choices: [{ message: { role: 'assistant', content: 'a' }, finish_reason: 'stop' }], usage }
  expect(spoilReply(reply, { finish: 'eos', usage: 'none' })).toEqual({
    object: 'chat.completion',
    choices: [{ message: { role: 'assistant', content: 'a' }, finish_reason: 'eos' }],
  })
  expect(reply.usage).toBe(usage)
})
