// The content blocks of an answer, one after the other: Messages cannot interleave them, chat completions do. The first block that
// is not closed streams; what belongs to a later one waits until its turn. Pure.

import { isWholeObject } from '../../json.ts'
import { JsonEnd } from './json-end.ts'
import type { Block, Fields } from './schema.ts'

/** `index` is contiguous from 0, and each start has its stop. */
export type BlockEvent =
  | { type: 'content_block_start'; index: number; content_block: Block }
  | { type: 'content_block_delta'; index: number; delta: Fields }
  | { type: 'content_block_stop'; index: number }

interface Waiting {
  kind: 'text' | 'thinking' | 'tool' | 'whole'
  call: number
  block: Block
  deltas: Fields[]
  /** Of a tool call. */
  input: Input | undefined
  closed: boolean
}

/** Arguments of a call on their way. */
interface Input {
  json: JsonEnd
  /** All that was told of them. */
  text: string
  /** What came after their end. */
  excess: string
}

export class Blocks {
  readonly #emit: (event: BlockEvent) => void
  /** The first of them is the one that streams. */
  readonly #waiting: Waiting[] = []
  readonly #calls = new Map<number, Waiting>()
  #index = 0
  #started = false

  constructor(emit: (event: BlockEvent) => void) {
    this.#emit = emit
  }

  /** Tool calls so far. */
  get calls(): number {
    return this.#calls.size
  }

  text(text: string): void {
    this.#add(this.#last('text') ?? this.#open('text', { type: 'text', text: '' }), { type: 'text_delta', text })
  }

  thinking(text: string, signature: string | undefined): void {
    const block = this.#last('thinking') ?? this.#open('thinking', { type: 'thinking', thinking: '', signature: '' })
    if (text !== '') this.#add(block, { type: 'thinking_delta', thinking: text })
    if (signature === undefined) return
    this.#add(block, { type: 'signature_delta', signature })
    // A signature is of what came before it.
    block.closed = true
  }

  /** What is said next is a text of its own. */
  nextText(): void {
    const text = this.#last('text')
    if (text) text.closed = true
  }

  citation(citation: unknown): void {
    const block = this.#last('text') ?? this.#open('text', { type: 'text', text: '' })
    this.#add(block, { type: 'citations_delta', citation })
  }

  /** A block that comes in one piece. */
  whole(block: Block): void {
    this.#open('whole', block).closed = true
    this.#pump(false)
  }

  tool(call: number, id: string, name: string, args: string): void {
    let block = this.#calls.get(call)
    if (block === undefined) {
      block = this.#open('tool', { type: 'tool_use', id, name, input: {} }, call)
      block.input = { json: new JsonEnd(), text: '', excess: '' }
      this.#calls.set(call, block)
    }
    const piece = take(block.input as Input, args)
    if (piece === '') return this.#pump(false)
    this.#add(block, { type: 'input_json_delta', partial_json: piece })
  }

  /** Closes everything. False if the arguments of a call are no JSON object: `cut` allows that they lack their end. */
  end(cut: boolean): boolean {
    for (const { input } of this.#calls.values()) {
      if (input && !isUsable(input, cut)) return false
    }
    this.#pump(true)
    return true
  }

  #last(kind: Waiting['kind']): Waiting | undefined {
    const last = this.#waiting.at(-1)
    return last?.kind === kind && !last.closed ? last : undefined
  }

  #open(kind: Waiting['kind'], block: Block, call = -1): Waiting {
    const waiting: Waiting = { kind, call, block, deltas: [], input: undefined, closed: false }
    this.#waiting.push(waiting)
    return waiting
  }

  #add(block: Waiting, delta: Fields): void {
    if (block === this.#waiting[0] && this.#started) this.#emit({ type: 'content_block_delta', index: this.#index, delta })
    else block.deltas.push(delta)
    this.#pump(false)
  }

  #pump(all: boolean): void {
    for (let block = this.#waiting[0]; block !== undefined; block = this.#waiting[0]) {
      if (!this.#started) {
        this.#started = true
        this.#emit({ type: 'content_block_start', index: this.#index, content_block: block.block })
        for (const delta of block.deltas) this.#emit({ type: 'content_block_delta', index: this.#index, delta })
      }
      const mayClose = block.kind === 'tool' ? block.input?.json.complete : true
      if (!all && (this.#waiting.length === 1 || !mayClose)) return
      this.#emit({ type: 'content_block_stop', index: this.#index })
      this.#index++
      this.#started = false
      this.#waiting.shift()
    }
  }
}

/** What of the arguments may be told now: nothing before an object begins, nothing after its end. */
function take(input: Input, args: string): string {
  let given = args
  if (!input.json.begun) {
    given = (input.text + args).trimStart()
    input.text = given
    if (!given.startsWith('{')) return ''
    input.text = ''
  }
  const length = input.json.take(given)
  const piece = given.slice(0, length)
  input.text += piece
  input.excess += given.slice(length)
  return piece
}

/**
 * Nothing at all is an empty object; the same arguments once more are a stutter; anything else behind the end is not to be guessed at,
 * nor is what only looks like JSON: an empty object in its place would call the tool with nothing.
 */
function isUsable({ json, text, excess }: Input, cut: boolean): boolean {
  if (!json.begun) return text === '' || text.trim() === 'null' || cut
  if (!json.complete) return cut
  return isWholeObject(text) && (excess.trim() === '' || excess.trim() === text.trim())
}
