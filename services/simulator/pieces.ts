// Pure. Text in the pieces that a model would stream, and where they stop: one piece is what the simulator counts as a token.

import type { FinishReason } from '#contracts/chunk.ts'

/** Words with the blanks before them; joined they are the text again, byte by byte. Long words are cut after 16 characters. */
export function splitPieces(text: string): string[] {
  return text.match(/\s*\S{1,16}|\s+$/gu) ?? []
}

/** Pieces of JSON text for a tool call: a few characters each. */
export function splitArguments(json: string): string[] {
  return json.match(/.{1,12}/gsu) ?? []
}

/** The text before the first stop sequence that occurs in it, and which that is; null: none does, undefined: there is none to look for. */
export function cutAtStop(text: string, stop: string | string[] | null | undefined): { text: string; stop: string | null | undefined } {
  const words = [stop ?? []].flat().filter(Boolean)
  const met = words.map((word) => ({ word, at: text.indexOf(word) })).filter(({ at }) => at >= 0)
  const [first] = met.sort((a, b) => a.at - b.at)
  return first ? { text: text.slice(0, first.at), stop: first.word } : { text, stop: words.length > 0 ? null : undefined }
}

/** A running allowance of tokens: what does not fit is dropped, and remembered as a reason to have finished. */
export class Allowance {
  #left: number
  spent = 0
  exceeded = false

  constructor(limit: number | null | undefined) {
    this.#left = limit ?? Number.POSITIVE_INFINITY
  }

  take(pieces: string[]): string[] {
    const taken = pieces.length > this.#left ? pieces.slice(0, this.#left) : pieces
    if (taken.length < pieces.length) this.exceeded = true
    this.#left -= taken.length
    this.spent += taken.length
    return taken
  }

  finish(otherwise: FinishReason): FinishReason {
    return this.exceeded ? 'length' : otherwise
  }
}
