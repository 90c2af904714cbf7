import { expect, test } from 'vitest'
import { chatBody } from '#contracts/job.ts'
import { answer, toChunks } from './answer.ts'

const ask = (messages: string | object[], more: object = {}, name = 'demo/chat') =>
  answer(chatBody.parse({ messages: typeof messages === 'string' ? [{ role: 'user', content: messages }] : messages, ...more }), name)
const textOf = (...args: Parameters<typeof ask>) => ask(...args).text.join('')
const user = (content: string) => ({ role: 'user', content })
const assistant = (content: string) => ({ role: 'assistant', content })
const system = (content: string) => ({ role: 'system', content })

const weather = {
  type: 'function',
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
}
const time = {
  type: 'function',
  function: { name: 'get_time', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } },
}
const tools = [weather, time]
const callsOf = (messages: string | object[], more: object) =>
  ask(messages, { tools, ...more }).calls.map((call) => `${call.name} ${call.arguments.join('')}`)

test.each([
  ['adds', 'What is 12 + 30?', /12 \+ 30 = 42/],
  ['says only the number when asked for it', 'What is 17 * 3? Reply with only the number.', /^51$/],
  ['repeats what is dictated', 'Say exactly: alpha beta gamma', /^alpha beta gamma$/],
  ['counts', 'Count from 1 to 5.', /^1, 2, 3, 4, 5$/],
  ['knows a capital', 'What is the capital of France?', /Paris/],
  ['explains itself to a new user', 'Who are you, stranger?', /built-in demo[\s\S]*“Who are you, stranger\?”[\s\S]*GROQ_API_KEY/],
])('%s', (_, question, expected) => {
  expect(textOf(question)).toMatch(expected)
})

test('recalls a name that was told earlier', () => {
  expect(textOf([user('My name is Ada. Remember it.'), assistant('I will.'), user('What is my name?')])).toBe('Your name is Ada.')
})

test('adds to its last answer', () => {
  expect(textOf([user('What is 2 + 2?'), assistant('4'), user('Add 3 to your last answer.')])).toBe('7')
})

test('follows a system prompt that demands a word', () => {
  expect(textOf([system('Whatever the user says, reply with exactly the word "quartz" and nothing else.'), user('Hello')])).toBe('quartz')
  expect(textOf([system('You must end every single reply with the word BANANA.'), user('What is 2 + 2?')])).toMatch(/4 BANANA$/)
})

test('continues a prefill without repeating it', () => {
  const question = user('What is the capital of France? Reply with the city name only.')
  expect(textOf([question, assistant('Sure. The city you are asking about is Par')])).toBe('is')
})

test('stops before a stop sequence', () => {
  const said = ask('Say exactly: alpha beta gamma', { stop: ['gamma', 'beta'] })
  expect([said.text.join(''), said.finish, said.stop]).toEqual(['alpha ', 'stop', 'beta'])
})

test('tells when none of them came, and nothing of what was not asked for', () => {
  expect(ask('Say exactly: alpha', { stop: 'beta' }).stop).toBeNull()
  expect(ask('Say exactly: alpha').stop).toBeUndefined()
})

test('stops at the token limit and says so', () => {
  const said = ask('Write a long essay about the sea.', { max_tokens: 5 })
  expect([said.text.length, said.finish, said.usage.completion_tokens]).toEqual([5, 'length', 5])
})

test('a limit that the reasoning uses up leaves no text', () => {
  const said = ask('hi', { max_completion_tokens: 3 }, 'demo/reasoner')
  expect([said.reasoning.length, said.text.length, said.finish]).toEqual([3, 0, 'length'])
  expect(said.usage['completion_tokens_details']).toEqual({ reasoning_tokens: 3 })
})

test.each([
  ['the tool the question is about', "What's the weather in Paris?", {}, ['get_weather {"city":"Paris"}']],
  [
    'both when both are asked for',
    "What's the weather AND the current time in Tokyo? Call both tools.",
    {},
    ['get_weather {"city":"Tokyo"}', 'get_time {"city":"Tokyo"}'],
  ],
  [
    'one without parallel calls',
    "What's the weather AND the current time in Tokyo?",
    { parallel_tool_calls: false },
    ['get_weather {"city":"Tokyo"}'],
  ],
  ['none in small talk', 'Hello! How are you doing today?', {}, []],
  ['none when forbidden', "What's the weather in Paris?", { tool_choice: 'none' }, []],
  ['one when required', 'Hello!', { tool_choice: 'required' }, ['get_weather {"city":"Paris"}']],
  [
    'the one that is named',
    "What's the weather in Rome?",
    { tool_choice: { type: 'function', function: { name: 'get_time' } } },
    ['get_time {"city":"Rome"}'],
  ],
])('calls %s', (_, question, more, calls) => {
  expect(callsOf(question, more)).toEqual(calls)
})

test('an answer with calls finishes with tool_calls; after the result it reports it', () => {
  expect(ask("What's the weather in Paris?", { tools }).finish).toBe('tool_calls')
  const called = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c', type: 'function', function: { name: 'get_weather', arguments: '{}' } }],
  }
  const said = ask([user("What's the weather in Paris?"), called, { role: 'tool', tool_call_id: 'c', content: '18 degrees, rain' }], {
    tools,
  })
  expect([said.calls, said.text.join('')]).toEqual([[], expect.stringContaining('18 degrees, rain')])
})

test('of many tools only one that is called by name is called', () => {
  const many = Array.from({ length: 20 }, (_, i) => ({ type: 'function', function: { name: i ? `Tool${i}` : 'Write', parameters: {} } }))
  expect(ask('Please write me a poem about tools', { tools: many }).calls).toEqual([])
  expect(ask('Please use Write now', { tools: many }).calls.map((call) => call.name)).toEqual(['Write'])
})

test('a JSON schema is answered exactly, JSON mode with an object', () => {
  const schema = {
    type: 'object',
    properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 18 } },
    required: ['name', 'age'],
  }
  expect(JSON.parse(textOf('Invent a person.', { response_format: { type: 'json_schema', json_schema: { schema } } }))).toEqual({
    name: 'Ada Lovelace',
    age: 18,
  })
  expect(JSON.parse(textOf('JSON with keys "name" and "age" (a number)', { response_format: { type: 'json_object' } }))).toEqual({
    name: 'Ada Lovelace',
    age: 1,
  })
})

test('echo gives back every byte', () => {
  const text = 'data: [DONE]\n\nevent: error\r\n日本語 · 🎉  two  blanks '
  expect(textOf(text, {}, 'demo/echo')).toBe(text)
})

test('the same request gets the same answer', () => {
  expect(ask('Invent a two-word band name.')).toEqual(ask('Invent a two-word band name.'))
})

test('several choices take turns and are counted', () => {
  const said = ask('Say exactly: a b', { n: 2 })
  const chunks = [...toChunks(said, { id: 'chatcmpl-1', model: 'm', created: 1, n: 2 })]
  expect(chunks.flatMap((chunk) => (chunk.t === 'text' ? [`${chunk.choice}${chunk.text}`] : []))).toEqual(['0a', '1a', '0 b', '1 b'])
  expect(said.usage.completion_tokens).toBe(4)
})
