import { expect, it } from 'vitest'
import { rescueReply } from './rescue.ts'

const refusal = (failed_generation: unknown, error: object = {}) =>
  JSON.stringify({ error: { message: 'Failed to call a function.', code: 'tool_use_failed', ...error, failed_generation } })
const calls = (body: string) => {
  const reply = rescueReply(body, 'r1') as
    | { choices: { finish_reason: string; message: { tool_calls: { id: string; function: object }[] } }[] }
    | undefined
  expect(reply?.choices[0]?.finish_reason ?? 'tool_calls').toBe('tool_calls')
  return reply?.choices[0]?.message.tool_calls
}
const berlin = { name: 'get_weather', arguments: '{"city":"Berlin"}' }

it.each([
  ['<function=get_weather>{"city":"Berlin"}</function>', [berlin]],
  ['<function=get_weather>{"city": "Berlin"}\n</function>', [berlin]],
  ['<function=get_weather{"city":"Berlin"}</function>', [berlin]],
  ['<function(get_weather){"city":"Berlin"}</function>', [berlin]],
  ['I look it up. <function=get_weather>{"city":"Berlin"}</function><function=f>{}</function>', [berlin, { name: 'f', arguments: '{}' }]],
  ['<tool_call>\n{"name": "get_weather", "arguments": {"city": "Berlin"}}\n</tool_call>', [berlin]],
  ['{"name":"get_weather","parameters":{"city":"Berlin"}}', [berlin]],
  ['[{"name":"get_weather","arguments":"{\\"city\\":\\"Berlin\\"}"}]', [berlin]],
])('a call is a call, however it is spelled: %s', (text, wanted) => {
  const found = calls(refusal(text))
  expect(found?.map((call) => call.function)).toEqual(wanted)
  expect(new Set(found?.map(({ id }) => id)).size).toBe(wanted.length)
})

it.each([
  ['text', refusal('The weather is fine.')],
  ['half a call', refusal('<function=get_weather>{"city":"Ber')],
  ['a call beside half of one', refusal('<function=f>{}</function><function=g>{"a":</function>')],
  ['arguments that are no object', refusal('{"name":"f","arguments":[1]}')],
  ['a name that is none', refusal('{"name":"a b","arguments":{}}')],
  ['JSON that was not asked for as a call', refusal('{"name":"f","arguments":{}}', { code: 'json_validate_failed' })],
  [
    'a call that does not fit its tool',
    refusal('{"name":"f","arguments":{}}', { message: 'tool call validation failed: parameters did not match schema' }),
  ],
  ['nothing', refusal(null)],
  ['no JSON', '"failed_generation'],
])('what is no call is not made one: %s', (_, body) => expect(calls(body)).toBeUndefined())

it('hostile text is read in no time', () => {
  const started = performance.now()
  for (const text of ['<function=f>{'.repeat(20_000), '<tool_call>{'.repeat(20_000), '<function=f>{}'.repeat(20_000), '{'.repeat(60_000)])
    rescueReply(refusal(text), 'r1')
  expect(performance.now() - started).toBeLessThan(500)
})
