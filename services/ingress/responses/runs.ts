// Background responses of this ingress: the answer goes to the store instead of a client, who comes for it when he likes, here or
// on any other replica. What is over is told by one compare-and-set of the head, so two never disagree on how it ended.

import { z } from 'zod'
import type { Bus } from '#contracts/bus.ts'
import type { FreewayError } from '#contracts/failure.ts'
import { decode, encode } from '#contracts/message.ts'
import { asAnswerInbox, responses } from '#contracts/subjects.ts'
import type { InputItem } from '#contracts/wire/responses/shape.ts'
import type { ResponseStream } from '#contracts/wire/responses/stream.ts'
import type { Logger } from '#services/logger.ts'
import type { Delivery } from '../delivery.ts'
import { createChunkReader } from '../formats/chunks.ts'
import { createRecorder } from './recorder.ts'
import type { Body, Head, ResponseStore } from './store.ts'

const SETTLE_MS = 10_000

/** Asked of the ingress that runs a response; the answer is `{known}`. `cancel` is answered when it is over. */
export const question = z.object({ t: z.enum(['alive', 'cancel']), id: z.string() })
export const answer = z.object({ known: z.boolean() })

export interface Run {
  id: string
  owner: string
  stream: ResponseStream
  items: InputItem[]
  context: InputItem[]
}

export interface Runs {
  /** Resolves when the response can be found on every replica. `cancel` calls the job off. */
  begin(run: Run, cancel: () => void): Promise<Delivery>
  /** Resolves when all that was begun is told, after their jobs were called off. */
  close(): Promise<void>
}

interface Live {
  cancel(): void
  over: Promise<void>
}

export function openRuns({ bus, instance, store, logger }: { bus: Bus; instance: string; store: ResponseStore; logger: Logger }): Runs {
  const live = new Map<string, Live>()
  const asked = bus.subscribe(responses(instance), (message) => {
    const to = asAnswerInbox(message.reply)
    const read = decode(question, message.data)?.message
    if (!to || !read) return
    const run = live.get(read.id)
    const tell = () => void bus.publish(to, encode({ known: run !== undefined }))
    if (read.t === 'alive' || !run) return tell()
    run.cancel()
    void run.over.then(tell)
  })

  async function begin({ id, owner, stream, items, context }: Run, cancel: () => void): Promise<Delivery> {
    const head: Head = { v: 1, owner, background: true, over: false, runner: instance }
    const body = (): Body => ({ response: JSON.parse(stream.response), items, context })
    const revision = await store.save(id, head, body(), 0, 'a')
    if (revision === undefined) throw new Error('a response of this id is there already')
    const recorder = createRecorder(store.keyValue, id)
    const { promise: over, resolve } = Promise.withResolvers<void>()
    live.set(id, { cancel, over })
    recorder.append(stream.begin())
    const read = createChunkReader()
    let delivered = false
    let ended = false

    /** `closing` is told before the last event, which readers make themselves of the head and the response. */
    async function settle(closing: string): Promise<void> {
      if (ended) return
      ended = true
      recorder.append(closing)
      const { sequence } = stream
      const text = body()
      try {
        const events = await recorder.flushed(AbortSignal.timeout(SETTLE_MS))
        const saved = await store.save(id, { ...head, over: true, events, sequence }, text, revision as number, 'b')
        if (saved === undefined) logger.info('a background response had ended before its answer', { response: id })
      } catch (error) {
        logger.warn('a background response could not be kept', { response: id, error })
      } finally {
        live.delete(id)
        resolve()
      }
    }

    return {
      response: new Promise(() => {}),
      get delivered() {
        return delivered
      },
      unsentBytes: 0,
      open() {},
      write(payload) {
        delivered = true
        let text = ''
        for (const chunk of read(payload)) text += stream.write(chunk)
        recorder.append(text)
        return true
      },
      end() {
        const closing = stream.close()
        stream.settle()
        void settle(closing)
        return undefined
      },
      fail(error: FreewayError) {
        const closing = stream.close(true)
        stream.break(error)
        void settle(closing)
      },
      drop() {
        const closing = stream.close(true)
        stream.cancel()
        void settle(closing)
      },
      tick() {},
    }
  }

  return {
    begin,
    async close() {
      await Promise.all([...live.values()].map(({ over }) => over))
      asked.unsubscribe()
    },
  }
}
