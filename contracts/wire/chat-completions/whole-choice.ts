// One choice of a whole answer, put together from its chunks. Pure.

import type { Chunk, FinishReason } from '../../chunk.ts'
import { consistent, writeWhy } from './finish-reason.ts'
import { writeDetails } from './reasoning.ts'
import { writeToolPiece } from './tool-calls.ts'

type Fields = Record<string, unknown>
export type ChoiceChunk = Extract<Chunk, { choice: number }>

export class WholeChoice {
  #text = ''
  #reasoning = ''
  /** The reasoning in its parts: each ends with its signature. */
  #thoughts: { text: string; signature?: string; redacted?: string }[] = []
  #why: Pick<Extract<Chunk, { t: 'finish' }>, 'native' | 'stop'> = {}
  #refusal = ''
  #logprobs: unknown = null
  #calls: Fields[] = []
  #other: Fields = {}
  #reason: FinishReason = 'stop'

  add(chunk: ChoiceChunk): void {
    switch (chunk.t) {
      case 'text':
        this.#text += chunk.text
        if (chunk.logprobs !== undefined) this.#logprobs = joined(this.#logprobs, chunk.logprobs)
        return
      case 'reasoning':
        this.#think(chunk)
        return
      case 'refusal':
        this.#refusal += chunk.text
        return
      case 'tool': {
        const known = this.#calls[chunk.call]
        if (known === undefined) this.#calls[chunk.call] = withoutIndex(writeToolPiece(chunk))
        else if (known.function) (known.function as { arguments: string }).arguments += chunk.arguments
        return
      }
      case 'other':
        this.#other = joined(this.#other, chunk.delta) as Fields
        return
      case 'finish':
        this.#reason = chunk.reason
        this.#why = chunk
    }
  }

  #think({ text, signature, redacted }: Extract<Chunk, { t: 'reasoning' }>): void {
    this.#reasoning += text
    const last = this.#thoughts.at(-1)
    const open = last && last.signature === undefined && last.redacted === undefined ? last : undefined
    if (redacted !== undefined) this.#thoughts.push({ text: '', redacted })
    else if (open === undefined) this.#thoughts.push({ text, ...(signature !== undefined && { signature }) })
    else Object.assign(open, { text: open.text + text }, signature !== undefined && { signature })
  }

  /** All keys that clients read. Content is null, not "", where there is something else in its place. */
  write(index: number): object {
    const calls = this.#calls.filter(Boolean)
    const details = writeDetails(this.#thoughts)
    const silent = this.#text === '' && (calls.length > 0 || this.#refusal !== '' || Object.keys(this.#other).length > 0)
    return {
      index,
      message: {
        role: 'assistant',
        content: silent ? null : this.#text,
        refusal: this.#refusal === '' ? null : this.#refusal,
        annotations: [],
        ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
        ...(details.length > 0 && { reasoning_details: details }),
        ...(calls.length > 0 && { tool_calls: calls }),
        ...this.#other,
      },
      logprobs: this.#logprobs,
      finish_reason: consistent(this.#reason, calls.length > 0),
      ...writeWhy(this.#why),
    }
  }
}

function withoutIndex({ index: _, ...call }: Fields): Fields {
  return call
}

/** Arrays that came in pieces are put together, of anything else the last value holds. */
function joined(before: unknown, piece: unknown): unknown {
  if (!isFields(piece) || !isFields(before)) return piece ?? before
  const result: Fields = { ...before }
  for (const [name, value] of Object.entries(piece)) {
    const earlier = before[name]
    result[name] = Array.isArray(earlier) && Array.isArray(value) ? [...earlier, ...value] : (value ?? earlier)
  }
  return result
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
