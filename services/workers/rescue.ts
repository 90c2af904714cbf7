// Pure. A model has made its call in a spelling that its provider did not understand, and the refusal hands back what it wrote.
// Where that is a call all the same, it is the answer, and nobody has to be asked again.

interface ToolCall {
  id: string
  type: 'function'
  function: { name: string; arguments: string }
}

/** A whole chat completion, or undefined if there is nothing to be rescued. `id` makes the ids of calls unique. */
export function rescueReply(body: string, id: string): object | undefined {
  const written = failedGeneration(body)
  if (written === undefined) return undefined
  const calls = callsIn(written)
  if (calls.length === 0) return undefined
  const toolCalls = calls.map(
    ({ name, arguments: args }, i): ToolCall => ({
      id: `call_${id}_${i}`,
      type: 'function',
      function: { name, arguments: JSON.stringify(args) },
    }),
  )
  return { choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls: toolCalls }, finish_reason: 'tool_calls' }] }
}

/** Not where the provider has understood the call, and found that it does not fit the tool. */
function failedGeneration(body: string): string | undefined {
  if (!body.includes('"failed_generation"')) return undefined
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown; message?: unknown; failed_generation?: unknown } }
    if (error?.code !== 'tool_use_failed' || /validation failed|did not match/i.test(String(error.message))) return undefined
    return typeof error.failed_generation === 'string' ? error.failed_generation.slice(0, MAX_CHARACTERS) : undefined
  } catch {
    return undefined // cut off, or no JSON: a refusal like any other
  }
}

interface Call {
  name: string
  arguments: object
}

const MAX_CHARACTERS = 32_768
const NAME = '[\\w.-]{1,64}'
/** `<function=get_weather>{…}</function>`, also without the bracket or with parentheses, as Llama writes it. */
const TAGGED = new RegExp(`<function[=(](${NAME})\\)?>?\\s{0,9}(\\{[^<]{0,${MAX_CHARACTERS}}\\})\\s{0,9}(?=<|$)`, 'g')
/** `<tool_call>{"name": …, "arguments": …}</tool_call>`, as Hermes and Qwen write it. */
const WRAPPED = new RegExp(`<tool_call>\\s{0,9}(\\{[^<]{0,${MAX_CHARACTERS}}\\})\\s{0,9}</tool_call>`, 'g')

function callsIn(text: string): Call[] {
  const tagged = [...text.matchAll(TAGGED)].map(([, name = '', args = '']) => asCall({ name, arguments: parsed(args) }))
  const wrapped = [...text.matchAll(WRAPPED)].map(([, call = '']) => asCall(parsed(call)))
  const plain = [parsed(text.trim())].flat().map(asCall)
  // Half of what was meant is not what was meant.
  const begun = text.match(/<function[=(]|<tool_call>/g)?.length ?? 0
  const calls = begun > 0 ? [...tagged, ...wrapped] : plain
  return calls.length >= begun && calls.every((call) => call !== undefined) ? calls : []
}

function asCall(value: unknown): Call | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { name, arguments: args, parameters } = value as { name?: unknown; arguments?: unknown; parameters?: unknown }
  const given = args ?? parameters
  const fields = typeof given === 'string' ? parsed(given) : given
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) return undefined
  return typeof fields === 'object' && fields !== null && !Array.isArray(fields) ? { name, arguments: fields } : undefined
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // half a call is none
  }
}
