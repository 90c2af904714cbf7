// Chunks as the events of a Messages answer: https://docs.anthropic.com/en/docs/build-with-claude/streaming. Their order is the whole
// art: one start, blocks one by one, one delta with the reason and the usage, one stop. Pure.

import type { Chunk, ChunkUsage } from '../../chunk.ts'
import { type BlockEvent, Blocks } from './blocks.ts'
import { EXTENSION, type Fields, isFields } from './schema.ts'
import { PrefillStrip, StopCut } from './stop-cut.ts'
import { writeStopReason } from './stop-reason.ts'
import { tellId } from './tool-id.ts'
import { type MessagesUsage, writeUsage } from './usage.ts'

export interface AnswerOptions {
  /** Of the answer, where its provider has none of this format. */
  id: string
  /** Estimated; corrected at the end. */
  inputTokens: number
  stopSequences: readonly string[]
  prefill: string
  /** Thoughts are told. */
  thinking: boolean
}

export type MessageEvent =
  | { type: 'message_start'; message: Fields }
  | BlockEvent
  | { type: 'message_delta'; delta: { stop_reason: string; stop_sequence: string | null }; usage: MessagesUsage }
  | { type: 'message_stop' }
  | { type: 'error'; error: { type: string; message: string } }

type Finish = Extract<Chunk, { t: 'finish' }>

const TAIL_LENGTH = 16
const CHARACTERS_PER_TOKEN = 4

/** `emit` is called with each event as soon as it may be told. After the stop or an error there is none. Only the first choice counts. */
export function createEventWriter(options: AnswerOptions, emit: (event: MessageEvent) => void): (chunk: Chunk) => void {
  const cut = new StopCut(options.stopSequences)
  const strip = new PrefillStrip(options.prefill)
  /** Nothing has to be looked for in the text. */
  const plain = options.stopSequences.length === 0 && options.prefill === ''
  const blocks = new Blocks(emit)
  let started = false
  let over = false
  let finish: Finish | undefined
  let usage: ChunkUsage | undefined
  let tail = ''
  let characters = 0

  function start(chunk?: Extract<Chunk, { t: 'start' }>): void {
    started = true
    const id = chunk?.id.startsWith('msg_') ? chunk.id : `msg_${options.id}`
    const counted = {
      input_tokens: options.inputTokens,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      output_tokens: 0,
    }
    const rest = { content: [], stop_reason: null, stop_sequence: null, usage: counted }
    emit({ type: 'message_start', message: { id, type: 'message', role: 'assistant', model: chunk?.model ?? '', ...rest } })
  }

  function say(text: string): void {
    if (text === '') return
    characters += text.length
    tail = (tail + text).slice(-TAIL_LENGTH)
    blocks.text(text)
  }

  /** Something that is no text begins: what was held back of the text before it belongs in front. */
  function flushText(): void {
    if (plain) return
    say(cut.push(strip.flush()))
    say(cut.flush())
  }

  function fail(type: string, message: string): void {
    over = true
    emit({ type: 'error', error: { type, message } })
  }

  function end(): void {
    flushText()
    const reason: Finish =
      cut.hit === undefined ? (finish ?? { t: 'finish', choice: 0, reason: 'stop' }) : { ...finish, ...stopAt(cut.hit) }
    if (!blocks.end(reason.reason === 'length'))
      return fail('api_error', 'the provider sent a tool call whose arguments are no JSON object')
    over = true
    const called = blocks.calls > 0
    const delta = writeStopReason({ finish: reason, tail, called, stopSequences: options.stopSequences })
    const estimated = {
      prompt_tokens: options.inputTokens,
      completion_tokens: Math.ceil(characters / CHARACTERS_PER_TOKEN),
      total_tokens: 0,
    }
    emit({ type: 'message_delta', delta, usage: writeUsage(usage ?? estimated) })
    emit({ type: 'message_stop' })
  }

  return (chunk) => {
    if (over || ('choice' in chunk && chunk.choice !== 0)) return
    if (chunk.t === 'failure') return fail('api_error', chunk.message)
    if (!started) start(chunk.t === 'start' ? chunk : undefined)
    switch (chunk.t) {
      case 'text':
      case 'refusal':
        return say(plain ? chunk.text : cut.push(strip.push(chunk.text)))
      case 'reasoning':
        if (!options.thinking) return
        flushText()
        characters += chunk.text.length
        if (chunk.redacted !== undefined) return blocks.whole({ type: 'redacted_thinking', data: chunk.redacted })
        return chunk.text === '' && chunk.signature === undefined ? undefined : blocks.thinking(chunk.text, chunk.signature)
      case 'tool':
        // A call after the cut was never asked for.
        if (cut.hit !== undefined) return
        flushText()
        characters += chunk.arguments.length
        return blocks.tool(chunk.call, tellId(chunk.id ?? ''), chunk.name ?? '', chunk.arguments)
      case 'other':
        return sayOther(chunk.delta[EXTENSION])
      case 'finish':
        finish = chunk
        return
      case 'usage':
        usage = chunk.usage
        return
      case 'end':
        return end()
    }
  }

  /** Of a provider that speaks Messages itself: blocks and citations that chat completions have no word for. */
  function sayOther(kept: unknown): void {
    if (!isFields(kept)) return
    if (kept.next === true) {
      flushText()
      return blocks.nextText()
    }
    if (kept.citation !== undefined) return blocks.citation(kept.citation)
    const { block } = kept
    if (!isFields(block) || typeof block.type !== 'string') return
    flushText()
    blocks.whole(block as Fields & { type: string })
  }
}

function stopAt(stop: string): Finish {
  return { t: 'finish', choice: 0, reason: 'stop', stop }
}
