// Responses that are kept: in the key-value store, each below its own id, in parts that fit a message.
// Only requests whose `store` is not false come here; theirs are the only prompts that ever reach the broker's disk.

import { z } from 'zod'
import type { KeyValue } from '#contracts/bus.ts'
import { RevisionConflict } from '#contracts/bus.ts'
import { concat, utf8 } from '#contracts/bytes.ts'
import { decode, encode } from '#contracts/message.ts'
import { isToken, responseKeys } from '#contracts/subjects.ts'
import type { InputItem } from '#contracts/wire/responses/shape.ts'

const PART_BYTES = 256 * 1024
/** What is larger is answered and not kept. */
const MAX_BYTES = 32 * 1024 * 1024

const head = z.object({
  v: z.literal(1),
  /** Who asked, and who alone may ask again. */
  owner: z.string(),
  background: z.boolean(),
  /** False: somebody still works on it. */
  over: z.boolean(),
  /** The ingress that works on it. */
  runner: z.string().optional(),
  /** How many parts hold its events, and the number of the event after these; known when it is over. */
  events: z.number().int().optional(),
  sequence: z.number().int().optional(),
  /** Where the body is; absent: behind the head. */
  body: z.object({ set: z.string(), parts: z.number().int() }).optional(),
})
export type Head = z.infer<typeof head>

export interface Body {
  /** The response object. */
  response: Record<string, unknown> & { id: string; status: string; output: InputItem[] }
  /** Its own input, each item with an id. */
  items: InputItem[]
  /** The input that came before, oldest first. */
  context: InputItem[]
}

export interface Kept {
  head: Head
  body: Body
  revision: number
}

export interface ResponseStore {
  readonly keyValue: KeyValue
  /** Undefined if there is nothing of that name, or not any more. */
  load(id: string): Promise<Kept | undefined>
  /** Writes over `revision` (0: nothing is there); returns the new one. Undefined if somebody else was first. Throws if it is too large. */
  save(id: string, head: Head, body: Body, revision: number, set: string): Promise<number | undefined>
  remove(id: string): Promise<void>
}

export function openResponseStore(keyValue: KeyValue): ResponseStore {
  return {
    keyValue,
    async load(id) {
      if (!isToken(id)) return undefined
      const entry = await keyValue.get(responseKeys.head(id))
      const read = entry?.value && decode(head, entry.value)
      if (!entry || !read) return undefined
      const { body: place } = read.message
      const parts =
        place && (await Promise.all(Array.from({ length: place.parts }, (_, n) => keyValue.get(responseKeys.body(id, place.set, n)))))
      const bytes = parts ? parts.map((part) => part?.value) : [read.body]
      if (bytes.includes(undefined)) return undefined
      return { head: read.message, body: parse(concat(bytes as Uint8Array[])), revision: entry.revision }
    },
    async save(id, plain, body, revision, set) {
      const bytes = utf8(JSON.stringify(body))
      if (bytes.length > MAX_BYTES) throw new Error(`the response is larger than ${MAX_BYTES} bytes`)
      const parts = bytes.length <= PART_BYTES ? 0 : Math.ceil(bytes.length / PART_BYTES)
      const value = parts === 0 ? encode(plain, bytes) : encode({ ...plain, body: { set, parts } })
      for (let n = 0; n < parts; n++)
        await keyValue.put(responseKeys.body(id, set, n), bytes.subarray(n * PART_BYTES, (n + 1) * PART_BYTES))
      try {
        return await keyValue.update(responseKeys.head(id), value, revision)
      } catch (error) {
        if (error instanceof RevisionConflict) return undefined
        throw error
      }
    },
    async remove(id) {
      const keys: string[] = []
      const seen = await keyValue.watch(responseKeys.all(id), ({ key, value }) => value && keys.push(key))
      seen.unsubscribe()
      // The head first: from then on nobody finds the rest.
      await keyValue.delete(responseKeys.head(id))
      for (const key of keys) if (key !== responseKeys.head(id)) await keyValue.delete(key)
    },
  }
}

const decoder = new TextDecoder()

function parse(bytes: Uint8Array): Body {
  return JSON.parse(decoder.decode(bytes)) as Body
}
