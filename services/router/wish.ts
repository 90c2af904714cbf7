// What kind of model a job wants, where the choice is ours: named by the client, or read from what the user asks.

import type { Submit } from '#contracts/attempt.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import { promptOf } from './intent/conversation.ts'
import { classify } from './intent/intent.ts'
import type { Label } from './intent/model.ts'

/** Parsing takes about a millisecond for each 200 KB; a longer conversation is not worth that here. */
const MAX_READ_BYTES = 128 * 1024

const decoder = new TextDecoder()

/** Undefined if the client has chosen by itself, or what it asks cannot be known. */
export function wishOf(
  { kind, model, strategy }: Pick<Submit, 'kind' | 'model' | 'strategy'>,
  body: Uint8Array | undefined,
): Label | undefined {
  const virtual = model === undefined ? 'auto' : virtualModelOf(model)
  if (virtual === 'code' || virtual === 'reasoning') return virtual
  if (kind !== 'chat' || virtual !== 'auto' || (strategy ?? 'auto') !== 'auto') return undefined
  if (!body || body.length > MAX_READ_BYTES) return undefined
  const { messages } = JSON.parse(decoder.decode(body)) as { messages: unknown }
  return classify(promptOf(messages)).label
}
