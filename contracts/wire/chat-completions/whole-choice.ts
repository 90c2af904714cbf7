// One choice of a whole answer, put together from its chunks. Pure.

import type { Chunk, FinishReason } from '../../chunk.ts'
import { consistent } from './finish-reason.ts'
import { writeToolPiece } from './tool-calls.ts'

type Fields = Record<string, unknown>
export type ChoiceChunk = Extract<Chunk, { choice: number }>

export class WholeChoice {
  #text = ''
  #reasoning = ''
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
        this.#reasoning += chunk.text
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
    }
  }

  /** All keys that clients read. Content is null, not "", where there is something else in its place. */
  write(index: number): object {
    const calls = this.#calls.filter(Boolean)
    const silent = this.#text === '' && (calls.length > 0 || this.#refusal !== '' || Object.keys(this.#other).length > 0)
    return {
      index,
      message: {
        role: 'assistant',
        content: silent ? null : this.#text,
        refusal: this.#refusal === '' ? null : this.#refusal,
        annotations: [],
        ...(this.#reasoning !== '' && { reasoning_content: this.#reasoning }),
        ...(calls.length > 0 && { tool_calls: calls }),
        ...this.#other,
      },
      logprobs: this.#logprobs,
      finish_reason: consistent(this.#reason, calls.length > 0),
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
