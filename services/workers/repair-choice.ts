// Pure. One choice of an answer, made well-formed in place; what is already right is not touched.

import type { FinishReason } from '#contracts/chunk.ts'
import { consistent, readFinishReason } from '#contracts/wire/chat-completions/finish-reason.ts'
import { ThinkFilter } from '#contracts/wire/chat-completions/think.ts'
import { ToolCalls, type ToolPiece, writeToolPiece } from '#contracts/wire/chat-completions/tool-calls.ts'

export type Fields = Record<string, unknown>

export class ChoiceRepair {
  /** The finish reason that was told; undefined while the choice goes on. */
  reason: FinishReason | undefined
  /** Content, a tool call, a refusal or sound appeared. */
  produced = false
  reasoned = false
  /** Length of all text, for an estimate of its tokens. */
  characters = 0
  readonly #think = new ThinkFilter()
  readonly #tools: ToolCalls
  #hasRole = false

  constructor(makeId: (call: number) => string) {
    this.#tools = new ToolCalls(makeId)
  }

  /** Text passes as it is from here on, until the end. */
  get saysPlainly(): boolean {
    return this.#think.done && this.reason === undefined
  }

  /** A piece of text that needs no repair. */
  say(text: string): void {
    this.produced = true
    this.characters += text.length
  }

  /** Repairs an element of a stream chunk's `choices`. Returns whether anything had to be changed, or the word of a breakdown. */
  repair(choice: Fields): boolean | { breakdown: unknown } {
    let changed = false
    let delta = choice.delta as Fields
    if (!isObject(delta)) {
      delta = choice.delta = isObject(choice.message) ? { ...choice.message } : {}
      delete choice.message
      changed = true
    }
    if (delta.role !== 'assistant' && (!this.#hasRole || delta.role !== undefined)) {
      delta = choice.delta = { role: 'assistant', ...delta }
      delta.role = 'assistant'
      changed = true
    }
    this.#hasRole = true
    const { content } = delta
    if (content !== undefined && content !== null && content !== '' && this.#repairContent(delta, content)) changed = true
    if (this.#repairReasoning(delta)) changed = true
    const calls = delta.tool_calls
    if (Array.isArray(calls)) {
      if (calls.length > 0 && this.#repairToolCalls(delta, calls)) changed = true
    } else if (calls !== undefined && calls !== null) {
      delete delta.tool_calls
      changed = true
    }
    if (isText(delta.refusal) || isObject(delta.audio) || isObject(delta.function_call)) this.produced = true

    const word = choice.finish_reason
    if (word === null) return changed
    const reason = readFinishReason(word)
    if (reason === 'error') return { breakdown: word }
    if (reason === undefined || this.reason !== undefined) {
      choice.finish_reason = null
      return true
    }
    if (this.#flush(delta)) changed = true
    this.reason = consistent(reason, this.#tools.count > 0)
    choice.finish_reason = this.reason
    return changed || this.reason !== word
  }

  /** The last element of a choice whose provider never said why it ended. */
  close(index: number): Fields {
    const delta: Fields = this.#hasRole ? {} : { role: 'assistant' }
    this.#flush(delta)
    this.reason = consistent('stop', this.#tools.count > 0)
    return { index, delta, logprobs: null, finish_reason: this.reason }
  }

  #repairContent(delta: Fields, content: unknown): boolean {
    const given = typeof content === 'string' ? content : textOf(content)
    if (Array.isArray(content)) this.#addReasoning(delta, content.map(thoughtOf).join(''))
    let said = given
    if (!this.#think.done) {
      const thought = this.#think.read(given)
      said = thought.content
      this.#addReasoning(delta, thought.reasoning)
    }
    if (said !== '') {
      this.produced = true
      this.characters += said.length
    }
    if (said === content) return false
    delta.content = said
    return true
  }

  #repairReasoning(delta: Fields): boolean {
    if (isText(delta.reasoning_content)) {
      this.reasoned = true
      this.characters += delta.reasoning_content.length
      return false
    }
    if (!isText(delta.reasoning)) return false
    this.#addReasoning(delta, delta.reasoning)
    this.reasoned = true
    this.characters += delta.reasoning.length
    return true
  }

  #addReasoning(delta: Fields, text: string): void {
    if (text !== '') delta.reasoning_content = (isText(delta.reasoning_content) ? delta.reasoning_content : '') + text
  }

  #repairToolCalls(delta: Fields, calls: unknown[]): boolean {
    const pieces: ToolPiece[] = []
    let changed = false
    for (const call of calls) {
      const piece = this.#tools.read(call)
      if (piece) pieces.push(piece)
      if (!piece || !saysExactly(call as Fields, piece)) changed = true
    }
    this.#count(pieces)
    if (!changed) return false
    if (pieces.length > 0) delta.tool_calls = pieces.map(writeToolPiece)
    else delete delta.tool_calls
    return true
  }

  /** Adds to the last delta what was held back. */
  #flush(delta: Fields): boolean {
    const { reasoning, content } = this.#think.flush()
    const pieces = this.#tools.flush()
    this.#count(pieces)
    this.#addReasoning(delta, reasoning)
    if (reasoning !== '') this.reasoned = true
    if (content !== '') {
      delta.content = (isText(delta.content) ? delta.content : '') + content
      this.produced = true
    }
    this.characters += reasoning.length + content.length
    if (pieces.length > 0) delta.tool_calls = [...(Array.isArray(delta.tool_calls) ? delta.tool_calls : []), ...pieces.map(writeToolPiece)]
    return reasoning !== '' || content !== '' || pieces.length > 0
  }

  #count(pieces: ToolPiece[]): void {
    if (pieces.length > 0) this.produced = true
    for (const piece of pieces) this.characters += piece.arguments.length + (piece.name?.length ?? 0)
  }
}

const SAID = new Set(['role', 'content', 'refusal', 'tool_calls', 'reasoning', 'reasoning_content'])

/** Something beside text and calls, such as a thought that only its provider can read: no answer yet, but no noise either. */
export function carries(delta: unknown): boolean {
  return Object.entries(delta as Fields).some(
    ([name, value]) => !SAID.has(name) && (Array.isArray(value) ? value.length > 0 : isText(value) || isObject(value)),
  )
}

/** Whether `call` as it came is just what we would write. */
function saysExactly(call: Fields, piece: ToolPiece): boolean {
  const { index, id, type, function: called, ...rest } = call
  if (index !== piece.call || !isObject(called) || called.arguments !== piece.arguments) return false
  if (Object.keys(rest).length !== Object.keys(piece.extra ?? {}).length) return false
  if (piece.id === undefined) return (id ?? undefined) === undefined && (called.name ?? undefined) === undefined
  return id === piece.id && type === 'function' && called.name === piece.name
}

/** Mistral and others send content as a list of parts. */
function textOf(content: unknown): string {
  if (!Array.isArray(content)) return ''
  let text = ''
  for (const part of content) if (isObject(part) && typeof part.text === 'string') text += part.text
  return text
}

/** Among its parts are those that it thinks: `{type: "thinking", thinking: [{type: "text", text}]}`. */
function thoughtOf(part: unknown): string {
  const { type, thinking } = isObject(part) ? part : {}
  if (type !== 'thinking') return ''
  return typeof thinking === 'string' ? thinking : textOf(thinking)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
