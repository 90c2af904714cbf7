// Thoughts that are to be sent back: signed, or readable to their provider alone. Chat completions have no word of their own for
// them; OpenRouter's `reasoning_details` is what clients know. Pure.

import type { Chunk } from '../../chunk.ts'

type Fields = Record<string, unknown>
type Thought = Extract<Chunk, { t: 'reasoning' }>

/** `text`: the thought as plain text, of which `details` may tell the same once more. */
export function readThought(text: string, details: unknown, choice: number, chunks: Chunk[]): void {
  const given = Array.isArray(details) ? details.filter((detail) => typeof detail === 'object' && detail !== null) : []
  const told = given.some((detail) => isText(detail.text) || isText(detail.summary))
  if (text !== '' && !told) chunks.push({ t: 'reasoning', choice, text })
  for (const { text: said, summary, signature, data } of given as Fields[]) {
    if (isText(data)) chunks.push({ t: 'reasoning', choice, text: '', redacted: data })
    const piece = isText(said) ? said : isText(summary) ? summary : ''
    if (piece !== '' || isText(signature)) chunks.push({ t: 'reasoning', choice, text: piece, ...(isText(signature) && { signature }) })
  }
}

/** A delta. */
export function writeThought({ text, signature, redacted }: Thought): Fields {
  const details = writeDetails([{ text: '', signature, redacted }])
  return { ...(text !== '' && { reasoning_content: text }), ...(details.length > 0 && { reasoning_details: details }) }
}

/** Those thoughts of a whole answer, in order, that have to be sent back as they are. */
export function writeDetails(thoughts: Pick<Thought, 'text' | 'signature' | 'redacted'>[]): Fields[] {
  return thoughts.flatMap(({ text, signature, redacted }): Fields[] => {
    if (redacted !== undefined) return [{ type: 'reasoning.encrypted', data: redacted }]
    if (signature === undefined) return []
    return [{ type: 'reasoning.text', ...(text !== '' && { text }), signature }]
  })
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
