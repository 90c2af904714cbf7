import { describe, expect, test } from 'vitest'
import { repairReply } from './repair-reply.ts'

type Body = { [key: string]: unknown; choices: { [key: string]: unknown; message: Record<string, unknown> }[] }

const options = { model: 'fallback-model', id: 'chatcmpl-own', created: 5, promptTokens: 9 }
const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 }
const reply = (message: object, more: object = {}) => ({
  id: 'x',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...more }],
  usage,
})
const repair = (json: unknown) => {
  const repaired = repairReply(json, options)
  return { ...repaired, body: repaired.body as Body }
}

test('a well-formed answer stays what it is', () => {
  const whole = reply({ content: 'Hi', refusal: null, annotations: [] }, { logprobs: null })
  expect(repair(structuredClone(whole))).toMatchObject({
    body: whole,
    usage,
    usageSource: 'provider',
    finish: 'stop',
    upstreamId: 'x',
    failure: undefined,
  })
})

test('missing keys are filled in, and usage is estimated', () => {
  const { body, usageSource } = repair({ choices: [{ message: { content: 'Hello you' } }], service_tier: 'x' })
  expect(body).toEqual({
    id: 'chatcmpl-own',
    object: 'chat.completion',
    created: 5,
    model: 'fallback-model',
    service_tier: 'x',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello you', refusal: null, annotations: [] },
        logprobs: null,
        finish_reason: 'stop',
      },
    ],
    usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 },
  })
  expect(usageSource).toBe('estimated')
})

describe('messages', () => {
  test('tool calls: content null, ids and types there, arguments text, the word tool_calls', () => {
    const { body, finish } = repair(
      reply({
        content: '',
        tool_calls: [
          { function: { name: 'f', arguments: { a: 1 } } },
          { id: 'b', index: 7, type: 'function', function: { name: 'g', arguments: '{}' } },
        ],
      }),
    )
    expect(finish).toBe('tool_calls')
    expect(body.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } })
    expect(body.choices[0]?.message.tool_calls).toEqual([
      { id: 'call_x_0_0', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
      { id: 'b', type: 'function', function: { name: 'g', arguments: '{}' } },
    ])
  })

  test('thinking aloud goes to reasoning_content', () => {
    expect(repair(reply({ content: '<think>\nHm</think>\n\nHi' })).body.choices[0]?.message).toMatchObject({
      content: 'Hi',
      reasoning_content: 'Hm',
    })
  })

  test('content in parts, reasoning under its other name', () => {
    expect(repair(reply({ content: [{ type: 'text', text: 'Hi' }], reasoning: 'Hm' })).body.choices[0]?.message).toMatchObject({
      content: 'Hi',
      reasoning: 'Hm',
      reasoning_content: 'Hm',
    })
  })

  test('thoughts among the parts of the content', () => {
    const parts = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] },
      { type: 'text', text: 'Hi' },
    ]
    expect(repair(reply({ content: parts })).body.choices[0]?.message).toMatchObject({ content: 'Hi', reasoning_content: 'Hm' })
  })

  test('refusals, log probabilities and what we do not know stay', () => {
    const { body } = repair(reply({ content: null, refusal: 'no', x: 1 }, { logprobs: { content: [], refusal: null }, y: 2 }))
    expect(body.choices[0]).toMatchObject({
      y: 2,
      logprobs: { content: [], refusal: null },
      message: { content: null, refusal: 'no', x: 1 },
    })
  })

  test.each([
    ['eos', 'stop'],
    ['', 'stop'],
    [null, 'stop'],
    ['max_tokens', 'length'],
    ['tool_calls', 'stop'],
  ])('%j is %s', (word, finish) => {
    expect(repair(reply({ content: 'a' }, { finish_reason: word }))).toMatchObject({
      finish,
      body: { choices: [{ finish_reason: finish }] },
    })
  })
})

test.each<[string, unknown, number]>([
  ['an error object', { error: { message: 'x', code: 429 } }, 429],
  ['an error beside choices', { ...reply({ content: 'a' }), error: { message: 'x', code: 'overloaded' } }, 503],
  ['an error at the top', { object: 'error', message: 'x', code: 400 }, 400],
  ['a list of errors', { success: false, errors: [{ code: 3040, message: 'Capacity temporarily exceeded' }] }, 503],
  ['a breakdown as finish reason', reply({ content: '' }, { finish_reason: 'insufficient_system_resource' }), 503],
  ['no choices', { choices: [] }, 502],
  ['nothing said', reply({ content: '' }), 502],
  ['no object', '<html>', 502],
  ['null', null, 502],
  ['a list', [], 502],
])('%s is a failure', (_, json, status) => {
  expect(repair(json).failure).toMatchObject({ status })
})

test('an answer cut before its first word, or filtered, is an answer', () => {
  for (const word of ['length', 'content_filter'])
    expect(repair(reply({ content: '' }, { finish_reason: word }))).toMatchObject({ failure: undefined, finish: word })
})
