// What a worker sends of one streamed chat: it thinks, talks, and calls a tool.

/** One event of Chat Completions. */
export const chunk = (choices: object[], usage: object | null = null) =>
  `data: ${JSON.stringify({ id: 'x', object: 'chat.completion.chunk', created: 1, model: 'm', choices, usage })}\n\n`
export const delta = (fields: object, finish_reason: string | null = null) =>
  chunk([{ index: 0, delta: fields, logprobs: null, finish_reason }])
export const chatStream = [
  delta({ role: 'assistant', content: '' }),
  delta({ reasoning_content: 'hm' }),
  delta({ content: 'Grüße 🌍' }),
  delta({ tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{"a"' } }] }),
  delta({ tool_calls: [{ index: 0, function: { arguments: ':1}' } }] }),
  delta({}, 'tool_calls'),
  chunk([], { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 }),
].join('')
