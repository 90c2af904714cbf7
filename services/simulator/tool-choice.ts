// Pure. Which tools a model would call: those that `tool_choice` demands, else those that the question is about.

import type { ChatBody } from '#contracts/job.ts'
import type { Conversation } from './conversation.ts'

export interface ToolWish {
  name: string
  parameters: unknown
}

/** With more tools than this (agents bring dozens) only one that is named after "call" or "use" is called. */
const MENU = 8

export function chooseTools(body: ChatBody, conversation: Conversation): ToolWish[] {
  const { mode, tools, named } = readChoice(body)
  if (mode === 'none' || tools.length === 0) return []
  if (named) return tools.filter((tool) => tool.name === named).slice(0, 1)
  if (mode === 'auto' && conversation.toolResults.length > 0) return []
  const wanted = asked(tools, conversation.question)
  const chosen = wanted.length === 0 && mode === 'required' ? tools.slice(0, 1) : wanted
  return body.parallel_tool_calls === false ? chosen.slice(0, 1) : chosen
}

function readChoice(body: ChatBody): { mode: string; tools: ToolWish[]; named: string | undefined } {
  const tools = (body.tools ?? []).flatMap((tool) =>
    tool.function ? [{ name: tool.function.name, parameters: tool.function.parameters ?? {} }] : [],
  )
  const choice = body.tool_choice ?? 'auto'
  if (typeof choice === 'string') return { mode: choice, tools, named: undefined }
  const allowed = choice['allowed_tools'] as { mode?: string; tools?: { function?: { name?: string } }[] } | undefined
  if (allowed) {
    const names = new Set((allowed.tools ?? []).map((tool) => tool.function?.name))
    return { mode: allowed.mode ?? 'auto', tools: tools.filter((tool) => names.has(tool.name)), named: undefined }
  }
  return { mode: 'required', tools, named: (choice['function'] as { name?: string } | undefined)?.name }
}

function asked(tools: ToolWish[], question: string): ToolWish[] {
  const text = question.toLowerCase()
  const called = tools.filter(({ name }) => (/[_-]/.test(name) ? text.includes(name.toLowerCase()) : isCommanded(name, text)))
  if (called.length > 0 || tools.length > MENU) return called
  const meant = tools.filter(({ name }) => isMeant(name, text))
  if (meant.length > 0) return meant
  if (/\b(?:both|all) (?:the )?(?:tools|functions)\b/.test(text)) return tools
  return /\b(?:call|use|using|invoke) (?:the|a|your|any)? ?(?:\w+ )?(?:tools?|functions?)\b/.test(text) ? tools.slice(0, 1) : []
}

function isCommanded(name: string, text: string): boolean {
  const place = text.indexOf(name.toLowerCase())
  return place >= 0 && /\b(?:call|use|using|invoke)(?: \S+){0,3} ?["'`]?$/.test(text.slice(Math.max(0, place - 40), place))
}

const verbs = new Set(
  'add call check create current do fetch find function get list look lookup make my read run send set show the tool update use'.split(' '),
)

/** At least half of the telling words of the name occur: get_weather is meant by "what's the weather". */
function isMeant(name: string, text: string): boolean {
  const all = name
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean)
  const telling = all.filter((word) => !verbs.has(word))
  const words = telling.length > 0 ? telling : all
  const heard = text.split(/[^\p{L}\p{N}]+/u)
  const met = words.filter((word) =>
    heard.some((one) => one === word || (word.length >= 4 && one.length >= 4 && (one.startsWith(word) || word.startsWith(one)))),
  )
  return met.length > 0 && met.length * 2 >= words.length
}
