// Pure. Calls in the history that another provider's model made, and their results, so that this one takes them.

type Fields = Record<string, unknown>

/** Mistral takes ids of nine letters and digits only. The same id becomes the same one everywhere. */
export function shortenToolCallIds(message: Fields): void {
  if (typeof message.tool_call_id === 'string') message.tool_call_id = shortened(message.tool_call_id)
  for (const call of callsOf(message)) if (typeof call.id === 'string') call.id = shortened(call.id)
}

/** Gemini wants its own signature with every call; this word says that there is none. */
const NO_SIGNATURE = 'skip_thought_signature_validator'

export function signToolCalls(message: Fields): void {
  for (const call of callsOf(message)) {
    const extra = (call.extra_content ?? {}) as { google?: { thought_signature?: unknown } }
    if (extra.google?.thought_signature === undefined) {
      call.extra_content = { ...extra, google: { ...extra.google, thought_signature: NO_SIGNATURE } }
    }
  }
}

/** Nothing at all is refused as well. */
const NO_THOUGHT = ' '

/** DeepSeek wants back what its model thought, which a client may not have kept, and another model may not have told. */
export function addThought(message: Fields): void {
  const { role, reasoning_content: thought } = message
  if (role === 'assistant' && (typeof thought !== 'string' || thought === '')) message.reasoning_content = NO_THOUGHT
}

/** Too short to say anything; Mistral takes no answer without a text either. */
const ANSWER = { role: 'assistant', content: 'OK.' }

/** A user who interrupts a model after a tool has answered leaves a history that Mistral refuses. Makes a new list if anything is missing. */
export function answerTools(fields: Fields): void {
  const { messages } = fields
  if (!Array.isArray(messages)) return
  const isUnanswered = (message: Fields | null, i: number) => message?.role === 'user' && messages[i - 1]?.role === 'tool'
  if (!messages.some(isUnanswered)) return
  fields.messages = messages.flatMap((message, i) => (isUnanswered(message, i) ? [{ ...ANSWER }, message] : [message]))
}

function callsOf({ tool_calls: calls }: Fields): Fields[] {
  return Array.isArray(calls) ? calls.filter((call) => typeof call === 'object' && call !== null) : []
}

function shortened(id: string): string {
  if (/^[A-Za-z0-9]{9}$/.test(id)) return id
  return (hash(id, 0x811c9dc5).toString(36) + hash(id, 0x01000193).toString(36)).padEnd(9, '0').slice(-9)
}

/** FNV-1a, 32 bits. */
function hash(text: string, seed: number): number {
  let sum = seed
  for (const byte of new TextEncoder().encode(text)) sum = Math.imul(sum ^ byte, 0x01000193) >>> 0
  return sum
}
