// Pure. Usage where and as careless upstreams report it.

import type { Json } from './deform.ts'
import type { Fault } from './fault.ts'

/** Payloads as before, with the usage they report moved, repeated, broken or gone. */
export function spoilUsage(payloads: Json[], habit: Fault['usage']): Json[] {
  const usage = payloads.findLast((data) => data?.usage)?.usage
  if (!habit || !usage) return payloads
  if (payloads.length === 1 && payloads[0]?.object === 'chat.completion') return [spoilReplyUsage(payloads[0], usage, habit)]
  const rest = payloads.filter((data) => !(data?.usage && data.choices?.length === 0))
  for (const data of rest) if (data?.usage !== undefined) delete data.usage
  const chunks = rest.filter((data) => data?.choices)
  const last = chunks.at(-1)
  const alone = (value: Json) => [...rest.slice(0, chunks.length), { ...last, choices: [], ...value }, ...rest.slice(chunks.length)]
  switch (habit) {
    case 'none':
      return rest
    case 'first':
      if (chunks[0]) chunks[0].usage = usage
      return rest
    case 'last':
      if (last) last.usage = usage
      return rest
    case 'every':
      for (const [i, chunk] of chunks.entries()) chunk.usage = soFar(usage, (i + 1) / chunks.length)
      return rest
    case 'choices':
      return alone({ usage, choices: [{ index: 0, delta: { content: '' }, finish_reason: null }] })
    case 'negative':
      return alone({ usage: negative(usage) })
    case 'string':
      return alone({ usage: strings(usage) })
    case 'x_groq':
      if (last) last.x_groq = { id: 'req_sim', usage }
      return rest
  }
}

function spoilReplyUsage(reply: Json, usage: Json, habit: Fault['usage']): Json {
  if (habit === 'none') delete reply.usage
  if (habit === 'negative') reply.usage = negative(usage)
  if (habit === 'string') reply.usage = strings(usage)
  if (habit === 'x_groq') Object.assign(reply, { usage: undefined, x_groq: { id: 'req_sim', usage } })
  return reply
}

const soFar = (usage: Json, share: number) => {
  const completion_tokens = Math.round(usage.completion_tokens * share)
  return { ...usage, completion_tokens, total_tokens: usage.prompt_tokens + completion_tokens }
}
const negative = (usage: Json) => ({ ...usage, completion_tokens: -1, total_tokens: usage.prompt_tokens - 1 })
const strings = (usage: Json) => ({
  prompt_tokens: String(usage.prompt_tokens),
  completion_tokens: String(usage.completion_tokens),
  total_tokens: String(usage.total_tokens),
})
