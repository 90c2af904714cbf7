// Whatever a provider answers, and however its bytes are split: each format says it in the same bytes, and every event is one of its own.

import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { z } from 'zod'
import { concat, utf8 } from '#contracts/bytes.ts'
import type { Chunk } from '#contracts/chunk.ts'
import { FreewayError } from '#contracts/failure.ts'
import { createStreamWriter } from '#contracts/wire/chat-completions/reply.ts'
import { parseRequest } from '#contracts/wire/responses/shape.ts'
import { SseReader } from '#contracts/wire/sse.ts'
import { brokenOff, chatChunk, completionChunk, messagesEvent, responsesEvent } from '#test/support/client-frames.ts'
import { chatCompletions } from './chat-completions.ts'
import { chatPhp } from './chat-php.ts'
import { completions } from './completions.ts'
import type { Asked, Format, StreamFormat } from './format.ts'
import { messages } from './messages.ts'
import { responses } from './responses.ts'

// biome-ignore lint/suspicious/noExplicitAny: events are looked into at will
type Json = any

const piece = fc.oneof(
  fc.record({ t: fc.constant('text' as const), text: fc.string({ minLength: 1, unit: 'grapheme' }) }),
  fc.record({ t: fc.constant('reasoning' as const), text: fc.string({ minLength: 1 }) }),
  fc.record({ t: fc.constant('refusal' as const), text: fc.string({ minLength: 1 }) }),
  fc.record({ t: fc.constant('call' as const), name: fc.stringMatching(/^[a-z]{1,8}$/), value: fc.string(), cut: fc.nat(30) }),
)
const answers = fc
  .record({ pieces: fc.array(piece, { minLength: 1, maxLength: 8 }), cut: fc.boolean(), thinksAside: fc.boolean() })
  .map(({ pieces, cut, thinksAside }): Chunk[] => {
    let calls = 0
    const said = pieces.flatMap((one): Chunk[] => {
      if (one.t !== 'call') return [{ ...one, choice: 0 }]
      const args = JSON.stringify({ value: one.value })
      const call = { t: 'tool' as const, choice: 0, call: calls++ }
      return [
        { ...call, id: `call_${call.call}`, name: one.name, arguments: args.slice(0, one.cut) },
        { ...call, arguments: args.slice(one.cut) },
      ]
    })
    return [
      { t: 'start', id: 'chatcmpl-1', model: 'm', created: 5 },
      ...(thinksAside ? [{ t: 'reasoning' as const, choice: 0, text: '', redacted: 'xx' }] : []),
      ...said,
      { t: 'finish', choice: 0, reason: cut ? 'length' : calls > 0 ? 'tool_calls' : 'stop' },
      { t: 'usage', usage: { prompt_tokens: 5, completion_tokens: 6, total_tokens: 11 } },
    ]
  })
const cuts = fc.array(fc.nat(), { maxLength: 12 })

const head = { headers: new Headers(), id: 'r1' }
const hello = [{ role: 'user', content: 'Hello' }]
const asked = (format: Format, body: object) => (format.readRequest(utf8(JSON.stringify(body)), head) as Asked).answer.stream()
const memory = { recall: async () => ({ context: [], items: hello }), keep: async () => true }

interface Spoken {
  open(): StreamFormat | Promise<StreamFormat>
  event: z.ZodType
  error: z.ZodType
  /** Events have names. */
  named: boolean
  done: boolean
  inOrder(events: Json[]): void
}

const formats: Record<string, Spoken> = {
  'chat completions': {
    open: () => asked(chatCompletions, { messages: hello, stream: true, stream_options: { include_usage: true } }),
    event: chatChunk,
    error: brokenOff.chat,
    named: false,
    done: true,
    inOrder(events) {
      expect(new Set(events.map(({ id, created, model }) => `${id} ${created} ${model}`)).size).toBe(1)
      expect(events[0].choices[0].delta.role).toBe('assistant')
      expect(events.filter(({ usage }) => usage !== null)).toEqual([events.at(-1)])
    },
  },
  completions: {
    open: () => asked(completions, { prompt: 'a', stream: true, stream_options: { include_usage: true } }),
    event: completionChunk,
    error: brokenOff.chat,
    named: false,
    done: true,
    inOrder(events) {
      expect(events.filter(({ choices }) => choices[0]?.finish_reason)).toHaveLength(1)
      expect(events.at(-1).usage).toBeDefined()
    },
  },
  Messages: {
    open: () => asked(messages, { max_tokens: 9000, messages: hello, stream: true, thinking: { type: 'enabled', budget_tokens: 2000 } }),
    event: messagesEvent,
    error: brokenOff.messages,
    named: true,
    done: false,
    inOrder(events) {
      expect(events.map(({ type }) => type).filter((type) => type.startsWith('message_'))).toEqual([
        'message_start',
        'message_delta',
        'message_stop',
      ])
      expect(events[0].type).toBe('message_start')
      expect(events.at(-2).type).toBe('message_delta')
      let open = -1
      let next = 0
      for (const { type, index } of events) {
        if (type === 'content_block_start') {
          expect([open, index]).toEqual([-1, next++])
          open = index
        } else if (index !== undefined) expect(index).toBe(open)
        if (type === 'content_block_stop') open = -1
      }
      expect(open).toBe(-1)
      const called = events.some(({ content_block }) => content_block?.type === 'tool_use')
      if (events.at(-2).delta.stop_reason === 'tool_use') expect(called).toBe(true)
    },
  },
  Responses: {
    open: async () =>
      (await responses(parseRequest(utf8('{"input":"Hello","stream":true}')), memory).readRequest(utf8(''), head)).answer.stream(),
    event: responsesEvent,
    error: brokenOff.responses,
    named: true,
    done: true,
    inOrder(events) {
      expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, number) => number))
      expect(events.slice(0, 2).map(({ type }) => type)).toEqual(['response.created', 'response.in_progress'])
      const { response, type } = events.at(-1)
      expect(type).toBe(`response.${response.status}`)
      const added = events.filter((event) => event.type === 'response.output_item.added')
      const done = events.filter((event) => event.type === 'response.output_item.done')
      expect(added.map(({ output_index }) => output_index)).toEqual(added.map((_, index) => index))
      expect(done.map(({ item }) => item)).toEqual(response.output)
    },
  },
  'chat.php': {
    open: () =>
      asked(
        chatPhp(() => ({ providers: [], aliases: [] })),
        { messages: hello },
      ),
    event: chatChunk,
    error: brokenOff.php,
    named: false,
    done: true,
    inOrder(events) {
      for (const { choices } of events) expect(choices).toHaveLength(1)
    },
  },
}

/** As workers send it: the owner of the request writes the terminator. */
function sentFor(chunks: Chunk[]): Uint8Array {
  const writer = createStreamWriter({ includeUsage: true })
  return utf8(
    [...chunks, { t: 'end' } as const]
      .map((chunk) => writer.write(chunk))
      .join('')
      .replace(/data: \[DONE\]\n\n$/, ''),
  )
}

async function said({ open }: Spoken, parts: Uint8Array[], failure?: FreewayError): Promise<string> {
  const stream = await open()
  const bytes = parts.flatMap((part) => stream.write(part) ?? [])
  const last = failure ? stream.fail(failure, 'r1') : await stream.end()
  return new TextDecoder().decode(concat([...bytes, ...(last ? [last] : [])]))
}

function eventsIn(text: string, { named, done }: Spoken): Json[] {
  const events: { event: string | undefined; data: string }[] = []
  const reader = new SseReader(({ event, data }) => void events.push({ event, data }))
  reader.push(utf8(text))
  expect(reader.pending).toBe(false)
  if (done) expect(events.pop()?.data).toBe('[DONE]')
  return events.map(({ event, data }) => {
    const read = JSON.parse(data)
    expect(event).toBe(named ? read.type : undefined)
    return read
  })
}

// A response tells in which second it was made.
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

describe.each(Object.entries(formats))('a stream of %s', (_, format) => {
  it('is the same bytes however the provider’s are split, and every event is one of the format', async () => {
    await fc.assert(
      fc.asyncProperty(answers, cuts, async (chunks, places) => {
        const bytes = sentFor(chunks)
        const whole = await said(format, [bytes])
        const at = places.map((place) => place % bytes.length).sort((a, b) => a - b)
        const parts = [...at, bytes.length].map((end, i) => bytes.subarray(at[i - 1] ?? 0, end))
        expect(await said(format, parts)).toBe(whole)
        const events = eventsIn(whole, format)
        for (const event of events) expect(format.event.safeParse(event).error?.issues ?? [], JSON.stringify(event)).toEqual([])
        format.inOrder(events)
      }),
      { numRuns: 60 },
    )
  })

  it('that breaks off says so in the words of the format, and nothing of an end', async () => {
    const failure = new FreewayError('provider_error', 'the provider broke off its answer')
    await fc.assert(
      fc.asyncProperty(answers, fc.nat(), async (chunks, place) => {
        const events = eventsIn(await said(format, [sentFor(chunks.slice(0, 1 + (place % (chunks.length - 2))))], failure), format)
        const broken = events.filter((event) => format.error.safeParse(event).success)
        expect(broken).toHaveLength(1)
        const rest = events.slice(events.indexOf(broken[0]) + 1)
        expect(rest.map(({ type }) => type)).toEqual(format === formats.Responses ? ['response.failed'] : [])
        for (const event of [...events.slice(0, events.indexOf(broken[0])), ...rest])
          expect(format.event.safeParse(event).error?.issues ?? [], JSON.stringify(event)).toEqual([])
      }),
      { numRuns: 30 },
    )
  })
})
