// A conversation cut down to its summary: the item that a client keeps in place of what came before. Pure.
// The summary is the client's own, so it is only packed, not hidden from it.

import { Buffer } from 'node:buffer'
import { asText, type Fields } from './shape.ts'

const MARK = 'fwc1.'
const INTRODUCTION = 'Summary of the conversation so far:\n\n'

/** What the model is asked for at the end of the conversation that is to be cut down. */
export const COMPACTION_PROMPT =
  'Summarise this conversation so that another assistant can take it over from your summary alone. Keep every goal, decision, ' +
  'constraint, name, number, file path and open question. Answer with the summary and nothing else.'

export function writeCompaction(id: string, summary: string): Fields {
  return { id, type: 'compaction', encrypted_content: MARK + Buffer.from(summary, 'utf8').toString('base64url') }
}

/** The message that stands for what came before; undefined if another service has packed it. */
export function readCompaction(content: unknown): string | undefined {
  const packed = asText(content)
  if (!packed?.startsWith(MARK)) return undefined
  return INTRODUCTION + Buffer.from(packed.slice(MARK.length), 'base64url').toString('utf8')
}
