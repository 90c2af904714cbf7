// What a request refers to instead of saying it: the response that it goes on from, and single items of earlier ones.

import { FreewayError } from '#contracts/failure.ts'
import { type InputItem, inputItems, invalid, type ResponsesRequest } from '#contracts/wire/responses/shape.ts'
import type { Body, ResponseStore } from './store.ts'

/** Rejects with FreewayError 400 for what is not there, or belongs to somebody else. */
export async function recall(
  request: ResponsesRequest,
  owner: string,
  store: ResponseStore,
): Promise<{ context: InputItem[]; items: InputItem[] }> {
  const { previous_response_id: previous } = request
  const given = inputItems(request)
  const referring = given.some(({ type }) => type === 'item_reference')
  if (!previous && !referring) return { context: [], items: given }
  const before = previous ? await find(previous) : undefined
  if (previous && !before) {
    throw invalid(`Previous response with id '${previous.slice(0, 64)}' not found.`, 'previous_response_id', 'previous_response_not_found')
  }
  const context = before ? [...before.context, ...before.items, ...before.response.output] : []
  const items: InputItem[] = []
  for (const item of given) items.push(item.type === 'item_reference' ? await resolve(item) : item)
  return { context, items }

  async function find(id: string): Promise<Body | undefined> {
    const kept = await loaded(store, id)
    return kept?.head.owner === owner && kept.head.over ? kept.body : undefined
  }

  /** The id of an item holds that of its response. */
  async function resolve({ id }: InputItem): Promise<InputItem> {
    const name = typeof id === 'string' ? id : ''
    const known = context.find((item) => item.id === name)
    const of = /^[a-z]+_([A-Za-z0-9_-]{22})_i?\d+$/.exec(name)?.[1]
    const body = known || !of ? undefined : await find(`resp_${of}`)
    const item = known ?? [...(body?.items ?? []), ...(body?.response.output ?? [])].find((one) => one.id === name)
    if (!item) throw invalid(`Item with id '${name.slice(0, 64)}' not found.`, 'input')
    return item
  }
}

async function loaded(store: ResponseStore, id: string) {
  try {
    return await store.load(id)
  } catch (cause) {
    throw storeDown(cause)
  }
}

export function storeDown(cause: unknown): FreewayError {
  return new FreewayError('server_error', 'the store of responses does not answer', { status: 503, retryAfterMs: 1_000, cause })
}

/** Items as they are kept: by these ids they are listed, and referred to. */
export function withIds(items: InputItem[], responseId: string): InputItem[] {
  const base = responseId.replace(/^resp_/, '')
  return items.map((item, index) => {
    const type = item.type ?? 'message'
    const { content } = item
    const message = type === 'message' && typeof content === 'string'
    const spoken = item.role === 'assistant' ? 'output_text' : 'input_text'
    return {
      ...item,
      type,
      id: item.id ?? `${type === 'message' ? 'msg' : 'item'}_${base}_i${index}`,
      ...(message && { content: [{ type: spoken, text: content }] }),
    }
  })
}
