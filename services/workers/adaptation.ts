// Pure. What a provider wants changed in a request that it refused, where it says so clearly enough to try once more:
// a field it does not know, a number out of bounds, a keyword of JSON Schema, a null.

import type { Adaptation } from '#contracts/adaptation.ts'

/** `words`: the telling texts of the body. Undefined if nothing can be changed without changing what was asked. */
export function adaptationOf(words: string, body: string): Adaptation | undefined {
  return (
    forbiddenField(body) ??
    messageField(words) ??
    schemaKeyword(words) ??
    effort(words, body) ??
    renamed(words) ??
    bound(words) ??
    shape(words) ??
    unknownField(words)
  )
}

/** To leave these out is to ask for something else. */
const ESSENTIAL = new Set([
  'messages',
  'message',
  'model',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'response_format',
  'stream',
  'input',
  'prompt',
  'max_tokens',
  'content',
  'role',
  'tool_calls',
  'tool_call_id',
  'n',
  'logprobs',
])

const optional = (name: string | undefined): name is string => name !== undefined && !ESSENTIAL.has(name)

/** Pydantic says where: `{"type": "extra_forbidden", "loc": ["body", "messages", 1, "assistant", "reasoning_content"]}`. */
function forbiddenField(body: string): Adaptation | undefined {
  if (!/extra_forbidden|[Ee]xtra inputs are not permitted/.test(body)) return undefined
  const drop = new Set<string>()
  const strip = new Set<string>()
  for (const [, list = ''] of body.slice(0, 65_536).matchAll(/"loc"\s{0,9}:\s{0,9}\[([^\]]{1,300})\]/g)) {
    const steps = list.split(',').map((step) => step.trim().replaceAll(/^"|"$/g, ''))
    const path = steps[0] === 'body' ? steps.slice(1) : steps
    const name = path.at(-1)
    if (!optional(name)) continue
    if (path.length === 1) drop.add(name)
    else if (path[0] === 'messages') strip.add(name)
  }
  if (drop.size === 0 && strip.size === 0) return undefined
  return { ...(drop.size > 0 && { drop: [...drop] }), ...(strip.size > 0 && { strip_message_fields: [...strip] }) }
}

/** Groq, Cerebras, again Groq (of a model that does not think), Fireworks, Google and Anthropic: each names the message in its own way. */
const MESSAGE_FIELDS = [
  /'messages\.\d{1,5}' {0,2}: {0,2}property '([a-z_]{1,40})' is (?:unsupported|not supported)/g,
  /property '(?:body\.)?messages\.\d{1,5}\.[a-z]{1,10}\.([a-z_]{1,40})' is (?:unsupported|not supported)/g,
  /\bmessages\[\d{1,5}\]\.([a-z_]{1,40}): {0,2}\1 is not supported/g,
  /Extra inputs are not permitted, field: 'messages\[\d{1,5}\]\.([a-z_]{1,40})'/g,
  /Unknown name "([a-z_]{1,40})" at 'messages\[\d{1,5}\]'/g,
  /\bmessages\.\d{1,5}\.([a-z_]{1,40}): Extra inputs are not permitted/g,
]

/** `'messages.1' : property 'reasoning_content' is unsupported`: a field of messages, not of the request. */
function messageField(words: string): Adaptation | undefined {
  const names = MESSAGE_FIELDS.flatMap((pattern) => [...words.matchAll(pattern)].map(([, name]) => name)).filter(optional)
  return names.length > 0 ? { strip_message_fields: [...new Set(names)] } : undefined
}

/** `Unknown name "additionalProperties" at 'tools[0].function_declarations[0].parameters'`. */
function schemaKeyword(words: string): Adaptation | undefined {
  const names = new Set<string>()
  for (const [, name = ''] of words.matchAll(
    /unknown (?:name|field) \\?["'`]([$\w-]{1,64})\\?["'`] at ["'`](?:tools|generation_config|response_format)/gi,
  ))
    names.add(name)
  return names.size > 0 ? { schema_strip: [...names] } : undefined
}

/** From little to much. */
const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

/** "`reasoning_effort` must be one of `low`, `medium` or `high`": the nearest of them; where none is named, no effort is asked for. */
function effort(words: string, body: string): Adaptation | undefined {
  if (/reasoning\.effort/i.test(words)) return { drop: ['reasoning'] }
  const told = /reasoning[_ ]effort/i.test(words) || /"loc"\s{0,9}:\s{0,9}\[[^\]]{0,300}"reasoning_effort"/.test(body.slice(0, 65_536))
  if (!told) return undefined
  const [, list = ''] = /\b(?:one of|values are|values:|should be|expected)\b(.{1,200})/is.exec(words) ?? []
  const taken = EFFORTS.filter((word) => new RegExp(`\\b${word}\\b`, 'i').test(list))
  const thinks = taken.filter((word) => word !== 'none')
  if (thinks.length === 0) return { drop: ['reasoning_effort'] }
  const distance = (a: string, b: string) => Math.abs(EFFORTS.indexOf(a) - EFFORTS.indexOf(b))
  const nearest = (word: string) => thinks.reduce((best, other) => (distance(word, other) < distance(word, best) ? other : best))
  const others = EFFORTS.filter((word) => !taken.includes(word))
  return { map: { reasoning_effort: Object.fromEntries(others.map((word) => [word, nearest(word)])) } }
}

function renamed(words: string): Adaptation | undefined {
  const [, from, to] =
    /['"`](max_tokens|max_completion_tokens)['"`].{0,80}\buse ['"`](max_tokens|max_completion_tokens)['"`] instead/i.exec(words) ?? []
  return from !== undefined && to !== undefined && from !== to ? { rename: { [from]: to } } : undefined
}

const NUMBER = '(max_tokens|max_completion_tokens|temperature|top_p|top_k|presence_penalty|frequency_penalty|top_logprobs|seed)'
const AT_LEAST = new RegExp(
  `\\b${NUMBER}\\b['"\`]?.{0,40}?(greater than or equal to|at least|>=|greater than|more than|>|minimum(?: value)?(?: is| of)?)\\s{0,3}(-?\\d{1,9}(?:\\.\\d{1,6})?)`,
  'i',
)
const AT_MOST = new RegExp(
  `\\b${NUMBER}\\b['"\`]?.{0,60}?(less than or equal to|at most|<=|(?:cannot|must not|should not|not) exceed|no more than|up to|less than|<|maximum(?: allowed)?(?: value)?(?: is| of)?)\\s{0,3}(-?\\d{1,9}(?:\\.\\d{1,6})?)`,
  'i',
)
const RANGE = new RegExp(
  `\\b${NUMBER}\\b['"\`]?.{0,40}?(?:\\[|\\(|between )\\s{0,2}(-?\\d{1,9}(?:\\.\\d{1,6})?)\\s{0,2}(?:,|and|to|-)\\s{0,2}(-?\\d{1,9}(?:\\.\\d{1,6})?)`,
  'i',
)

/** "max_tokens must be greater than 2", "temperature must be <= 1", "Range of max_tokens should be [1, 8192]". */
function bound(words: string): Adaptation | undefined {
  const [, between, low, high] = RANGE.exec(words) ?? []
  if (between !== undefined) return { min: { [between]: Number(low) }, clamp: { [between]: Number(high) } }
  const [, least, atLeast = '', floor] = AT_LEAST.exec(words) ?? []
  if (least !== undefined) return { min: { [least]: Number(floor) + (isStrict(atLeast) ? step(least) : 0) } }
  const [, most, atMost = '', ceiling] = AT_MOST.exec(words) ?? []
  if (most !== undefined) return { clamp: { [most]: Number(ceiling) - (isStrict(atMost) ? step(most) : 0) } }
  return undefined
}

const isStrict = (comparison: string) => /^(?:greater than|more than|>|less than|<)$/i.test(comparison)
const step = (name: string) => (/temperature|top_p|penalty/.test(name) ? 0.01 : 1)

function shape(words: string): Adaptation | undefined {
  if (/missing a thought_signature/i.test(words)) return { tool_call_signatures: 'skip' }
  if (/reasoning_content\b.{0,60}must be passed back|missing [`'"]?reasoning_content\b/i.test(words))
    return { reasoning_content: 'required' }
  if (/content.{0,40}'string' not in 'null'|content['"`]?.{0,40}(?:must not be|cannot be|can't be|is) (?:null|none)\b/i.test(words))
    return { null_content: 'empty_string' }
  if (/tool.?call.?id.{0,120}length of 9/i.test(words)) return { tool_call_ids: 'nine_alphanumerics' }
  if (
    /(?:role|variant|input).{0,40}['"`]?developer['"`]?.{0,60}(?:not|expected|invalid|unsupported|unknown)|(?:unexpected|invalid|unsupported|unknown)[^.]{0,30}role[^.]{0,20}developer/i.test(
      words,
    )
  ) {
    return { role_map: { developer: 'system' } }
  }
  if (/(?:system|developer)[ _](?:role|instruction|prompt|message)s?.{0,20}not (?:be )?(?:supported|enabled|allowed)/i.test(words)) {
    return { role_map: { system: 'user', developer: 'user' } }
  }
  return undefined
}

const UNKNOWN_FIELDS = [
  /unsupported value: ['"`]([a-z_]{1,40})['"`] does not support/i,
  /property ['"`]([$a-z_]{1,40})['"`] is (?:unsupported|not supported)/i,
  /[.:] {0,2}([$a-z]{1,40}) is not supported/i,
  /(?:unsupported|unrecognized|unknown|unexpected|invalid) (?:request )?(?:parameter|argument|field|property|name|key|keyword argument)(?:\(s\)|s)?(?: supplied)?:? {0,2}\\?['"`]?([a-z_]{1,40})\b/i,
  /\b(?:parameter|argument|field|property|option)s?:? ['"`]?([a-z_]{1,40})['"`]? (?:is|are|was) (?:not|un)\s?(?:supported|permitted|allowed|recognized|known|expected)/i,
  /['"`]([a-z_]{1,40})['"`] (?:is|are|was) (?:not (?:yet )?supported|unsupported|unexpected|not allowed|not permitted)/i,
  /\b([a-z]{1,20}_[a-z_]{1,30}|logprobs|seed) (?:is|are) (?:not (?:yet )?supported|unsupported|not allowed|not permitted)/i,
  /not support (?:the )?(?:parameter |field )?['"`]([a-z_]{1,40})['"`]/i,
]

function unknownField(words: string): Adaptation | undefined {
  for (const pattern of UNKNOWN_FIELDS) {
    const name = pattern.exec(words)?.[1]
    if (!optional(name) || NO_FIELDS.has(name)) continue
    return SCHEMA_KEYWORDS.has(name) ? { schema_strip: [name] } : { drop: [name] }
  }
  return undefined
}

/** Words that stand where a name would. */
const NO_FIELDS = new Set([
  'is',
  'are',
  'in',
  'for',
  'the',
  'value',
  'values',
  'error',
  'type',
  'of',
  'with',
  'by',
  'to',
  'at',
  'on',
  'was',
  'provided',
])

const SCHEMA_KEYWORDS = new Set(
  '$schema $id $defs additionalProperties patternProperties propertyNames pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength minItems maxItems uniqueItems minProperties maxProperties default examples const title strict nullable'.split(
    ' ',
  ),
)
