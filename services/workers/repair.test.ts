import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Chunk } from '#contracts/chunk.ts'
import { createStreamReader } from '#contracts/wire/chat-completions/reply.ts'
import { type SseEvent, SseReader, writeSse } from '#contracts/wire/sse.ts'
import samples from '#test/fixtures/error-samples.json' with { type: 'json' }
import type { InBandError } from './in-band-error.ts'
import { createRepair, type RepairEnd } from './repair.ts'

// biome-ignore lint/suspicious/noExplicitAny: events are looked into at will
type Json = Record<string, any>

interface Run {
  /** Everything sent, as text. */
  sent: string
  events: Json[]
  chunks: Chunk[]
  failure: InBandError | undefined
  end: RepairEnd
  /** Whether each event of the provider was meaningful. */
  meaningful: boolean[]
  passed: number
}

function parse(text: string): SseEvent[] {
  const events: SseEvent[] = []
  const reader = new SseReader((event) => events.push(event))
  reader.push(new TextEncoder().encode(text))
  reader.end()
  return events
}

function run(stream: string, options: { includeUsage?: boolean; promptTokens?: number } = {}): Run {
  const repair = createRepair({
    includeUsage: options.includeUsage ?? false,
    model: 'fallback-model',
    id: 'chatcmpl-own',
    created: 1_700_000_000,
  })
  let sent = ''
  let failure: InBandError | undefined
  let passed = 0
  const meaningful: boolean[] = []
  for (const event of parse(stream)) {
    const repaired = repair.push(event)
    if (repaired.output instanceof Uint8Array) passed++
    if (repaired.output !== undefined)
      sent += typeof repaired.output === 'string' ? repaired.output : new TextDecoder().decode(repaired.output)
    meaningful.push(repaired.meaningful)
    failure = repaired.failure
    if (failure) break
  }
  const end = repair.finish(options.promptTokens)
  sent += end.output ?? ''
  const events = parse(sent).map((event) => JSON.parse(event.data) as Json)
  const reader = createStreamReader()
  return { sent, events, chunks: events.flatMap((event) => reader.read(event)), failure, end, meaningful, passed }
}

const sse = (...events: (object | string)[]) =>
  events.map((event) => writeSse(typeof event === 'string' ? event : JSON.stringify(event))).join('')
const head = { id: 'c1', object: 'chat.completion.chunk', created: 1_790_000_000, model: 'm' }
const piece = (delta: object, finish: string | null = null, more: object = {}) => ({
  ...head,
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...more,
})
const role = piece({ role: 'assistant', content: '' })
const text = (chunks: Chunk[], t: 'text' | 'reasoning' | 'refusal' = 'text') =>
  chunks.map((chunk) => (chunk.t === t ? chunk.text : '')).join('')
const calls = (chunks: Chunk[]) => {
  const found: { id: string | undefined; name: string | undefined; arguments: string }[] = []
  for (const chunk of chunks) {
    if (chunk.t !== 'tool') continue
    const known = found[chunk.call]
    if (known) known.arguments += chunk.arguments
    else found[chunk.call] = { id: chunk.id, name: chunk.name, arguments: chunk.arguments }
  }
  return found
}

/** The rules of a chat stream that clients break on. */
function expectWellFormed({ events }: Run, includeUsage = false): void {
  const begun = new Set<number>()
  const finished = new Set<number>()
  const seenCalls = new Map<string, number>()
  for (const event of events) {
    expect(event).toMatchObject({
      id: events[0]?.id,
      created: events[0]?.created,
      model: events[0]?.model,
      object: 'chat.completion.chunk',
    })
    expect(event.id).not.toBe('')
    expect(Number.isInteger(event.created)).toBe(true)
    expect('usage' in event).toBe(includeUsage)
    if (event.choices.length === 0) expect(event).toBe(events.at(-1))
    else if (includeUsage) expect(event.usage).toBe(null)
    for (const { index, delta, finish_reason } of event.choices) {
      if (!begun.has(index)) expect(delta.role).toBe('assistant')
      begun.add(index)
      expect(delta.content ?? '').toBeTypeOf('string')
      for (const call of delta.tool_calls ?? []) {
        const key = `${index}`
        const count = seenCalls.get(key) ?? 0
        if (call.index === count) {
          seenCalls.set(key, count + 1)
          expect(call).toMatchObject({ id: expect.stringMatching(/./), type: 'function', function: { name: expect.stringMatching(/./) } })
        } else {
          expect(call.index).toBeLessThan(count)
          expect(call.id ?? undefined).toBe(undefined)
          expect(call.function.name ?? undefined).toBe(undefined)
        }
        expect(call.function.arguments).toBeTypeOf('string')
      }
      if (finish_reason === null) continue
      expect(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']).toContain(finish_reason)
      expect(finish_reason === 'tool_calls').toBe(seenCalls.has(`${index}`) && finish_reason !== 'length')
      expect(finished.has(index)).toBe(false)
      finished.add(index)
    }
  }
  expect(finished.size).toBe(begun.size)
}

describe('what is well-formed', () => {
  const stream = sse(role, piece({ content: 'Hi' }), piece({ content: ' 👋' }), piece({}, 'stop'), '[DONE]')

  test('passes as its own bytes', () => {
    const result = run(stream)
    expect(result.sent).toBe(stream.replace('data: [DONE]\n\n', ''))
    expect(result.passed).toBe(2)
    expect(result.end).toMatchObject({ complete: true, empty: false, produced: true, finish: 'stop', flags: [], upstreamId: 'c1' })
    expectWellFormed(result)
  })

  test('keeps what comes before the first word and is to be sent back, and opens no answer with it', () => {
    const secret = piece({ reasoning_details: [{ type: 'reasoning.encrypted', data: 'xx' }] })
    const result = run(sse(role, secret, piece({ content: '' }), piece({ content: 'Hi' }), piece({}, 'stop'), '[DONE]'))
    expect(result.chunks).toContainEqual({ t: 'reasoning', choice: 0, text: '', redacted: 'xx' })
    expect(result.meaningful.slice(0, 4)).toEqual([false, false, false, true])
    expect(run(sse(role, secret, piece({}, 'stop'), '[DONE]')).end).toMatchObject({ complete: false, empty: true })
  })

  test('keeps unknown fields, and text that looks like control', () => {
    const odd = piece({ content: 'data: [DONE]\n\nevent: x,"usage":null}' }, null, { system_fingerprint: 'fp', x: [1] })
    expect(run(sse(role, odd, piece({}, 'stop'))).sent).toBe(sse(role, odd, piece({}, 'stop')))
  })

  test('the role waits for the first meaningful event', () => {
    const repair = createRepair({ includeUsage: false, model: 'm' })
    const [first, second] = parse(sse(role, piece({ content: 'Hi' })))
    expect(repair.push(first as SseEvent)).toEqual({ output: undefined, meaningful: false, failure: undefined })
    expect(repair.push(second as SseEvent)).toEqual({ output: sse(role, piece({ content: 'Hi' })), meaningful: true, failure: undefined })
  })
})

describe('recorded streams', () => {
  const recorded = samples.streams as { id: string; frames: string[]; expect: Json }[]
  test.each(recorded)('$id', ({ frames, expect: wanted }) => {
    for (const includeUsage of [false, true]) {
      const result = run(`${frames.join('\n\n')}\n\n`, { includeUsage })
      if (wanted.before_content !== undefined) {
        expect(result.failure !== undefined || !result.end.complete).toBe(true)
        expect(result.sent === '').toBe(wanted.before_content)
        continue
      }
      expect(result.failure).toBe(undefined)
      expect(result.end.complete).toBe(true)
      expectWellFormed(result, includeUsage)
      if (wanted.text !== undefined) expect(text(result.chunks)).toBe(wanted.text)
      if (wanted.reasoning !== undefined) expect(text(result.chunks, 'reasoning')).toBe(wanted.reasoning)
      if (wanted.refusal !== undefined) expect(text(result.chunks, 'refusal')).toBe(wanted.refusal)
      if (wanted.finish !== undefined) expect(result.end.finish).toBe(wanted.finish)
      if (wanted.usage) expect(result.end).toMatchObject({ usage: wanted.usage, usageSource: 'provider' })
      if (wanted.tool_calls) {
        const expected = (wanted.tool_calls as Json[]).map(({ index: _, ...call }) => call)
        expect(calls(result.chunks)).toMatchObject(expected)
      }
    }
  })
})

describe('heads', () => {
  test('one id, time, model and object on every chunk', () => {
    const result = run(
      sse(
        { choices: [{ delta: { content: 'a' } }] },
        { id: 'other', created: 5, model: 'x', choices: [{ delta: { content: 'b' }, finish_reason: 'eos' }] },
      ),
    )
    expectWellFormed(result)
    expect(result.events[0]).toMatchObject({ id: 'chatcmpl-own', created: 1_700_000_000, model: 'fallback-model' })
    expect(text(result.chunks)).toBe('ab')
  })

  test('a time that strict clients cannot read is written anew', () => {
    const odd = sse(role, piece({ content: 'a' }, 'stop')).replaceAll('1790000000', '1.79e9')
    expect(run(odd).sent).not.toContain('e9')
  })

  test('comments, pings, empty and leading events without choices are dropped', () => {
    const noise = `: PROCESSING\n\nevent: ping\ndata: {}\n\ndata:\n\ndata: : PROCESSING\n\n${sse({ id: '', choices: [], prompt_filter_results: [] })}`
    expect(run(noise + sse(role, piece({ content: 'a' }, 'stop'))).sent).toBe(sse(role, piece({ content: 'a' }, 'stop')))
  })

  test('a whole answer in one event becomes a chunk', () => {
    const result = run(
      sse({
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
      }),
    )
    expectWellFormed(result)
    expect(text(result.chunks)).toBe('Hi')
  })
})

describe('ends', () => {
  test.each([
    ['eos', 'stop'],
    ['end_turn', 'stop'],
    ['STOP', 'stop'],
    ['whatever', 'stop'],
    ['max_tokens', 'length'],
    ['SAFETY', 'content_filter'],
    ['tool_calls', 'stop'],
  ])('%s without tool calls is %s', (word, finish) => {
    const result = run(sse(role, piece({ content: 'a' }), piece({}, word)))
    expectWellFormed(result)
    expect(result.end).toMatchObject({ complete: true, finish, flags: ['no_done'] })
  })

  test('an empty word is no end', () => {
    const result = run(sse(role, piece({ content: 'a' }, ''), piece({ content: 'b' }, '')))
    expect(result.end.complete).toBe(false)
  })

  test('[DONE] without a finish reason ends what was said', () => {
    const result = run(sse(role, piece({ content: 'a' }), '[DONE]'))
    expectWellFormed(result)
    expect(result.end).toMatchObject({ complete: true, finish: 'stop', flags: ['no_finish'] })
  })

  test.each(['[DONE]', ' [DONE] ', '["DONE"]'])('%j is an end, and what follows it is not heard', (done) => {
    const result = run(sse(role, piece({ content: 'a' }, 'stop'), done, piece({ content: 'more' }), { error: { message: 'x' } }))
    expect(text(result.chunks)).toBe('a')
    expect(result.failure).toBe(undefined)
    expect(result.end.flags).toEqual([])
  })

  test('neither means that the stream was cut', () => {
    const result = run(sse(role, piece({ content: 'a' })))
    expect(result.end).toMatchObject({ complete: false, output: undefined, empty: false })
  })

  test('an answer of nothing is empty', () => {
    for (const events of [[role], [role, '[DONE]'], [role, piece({}, 'stop'), '[DONE]'], [role, piece({}, 'tool_calls')], []]) {
      expect(run(sse(...events))).toMatchObject({ sent: '', end: { empty: true, complete: false, produced: false } })
    }
  })

  test('an answer that was filtered or cut before its first word is an answer', () => {
    for (const word of ['content_filter', 'length']) {
      const result = run(sse(role, piece({}, word), '[DONE]'))
      expectWellFormed(result)
      expect(result.end).toMatchObject({ empty: false, complete: true, finish: word })
    }
  })

  test('a second finish reason and an empty chunk after it are dropped', () => {
    const result = run(
      sse(role, piece({ content: 'a' }, 'stop'), piece({ content: '' }, 'stop'), piece({ role: 'assistant', content: '' })),
    )
    expectWellFormed(result)
    expect(result.events).toHaveLength(2)
  })

  test('choices end one by one', () => {
    const both = { ...head, choices: [0, 1].map((index) => ({ index, delta: { content: `t${index}` }, finish_reason: null })) }
    const last = (index: number) => ({ ...head, choices: [{ index, delta: {}, finish_reason: 'stop' }] })
    expectWellFormed(run(sse(both, last(1), last(0))))
    expect(run(sse(both, last(1))).end.complete).toBe(false)
  })

  test('reasoning alone is told, and is no end by [DONE]', () => {
    expect(run(sse(piece({ reasoning: 'hm' }), piece({}, 'length'))).end).toMatchObject({
      complete: true,
      produced: false,
      flags: ['no_done', 'reasoning_only'],
    })
    expect(run(sse(piece({ reasoning: 'hm' }), '[DONE]')).end).toMatchObject({ complete: false, produced: false })
  })
})

describe('errors inside the stream', () => {
  const error = { error: { message: 'Rate limit exceeded', code: 429 } }
  test.each<[string, object | string, number]>([
    ['alone', error, 429],
    ['beside choices', { ...piece({ content: '' }, 'error'), ...error }, 429],
    ['as text', { error: 'overloaded, try later' }, 503],
    ['with a status as text', { error: { message: 'x', code: '503' } }, 503],
    ['at the top', { message: 'x', type: 'too_many_requests_error', code: 'queue_exceeded' }, 429],
    ['as a finish reason', piece({}, 'network_error'), 502],
    ['as detail', { detail: 'Internal' }, 502],
    ['as noise', '{"choices":[{"ind', 502],
  ])('%s: failover as the first event, failure as the fifth, nothing after the finish', (_, event, status) => {
    expect(run(sse(role, event))).toMatchObject({ sent: '', failure: { status } })
    const later = run(sse(role, piece({ content: 'a' }), piece({ content: 'b' }), piece({ content: 'c' }), event))
    expect(later.failure).toMatchObject({ status })
    expect(text(later.chunks)).toBe('abc')
    expect(run(sse(role, piece({ content: 'a' }, 'stop'), event))).toMatchObject({ failure: undefined, end: { complete: true } })
  })

  test('an event named error is one, whatever it holds', () => {
    expect(run('event: error\ndata: {"message":"gone"}\n\n').failure).toMatchObject({ status: 502, message: 'gone' })
  })

  test('error: null is none', () => {
    expect(run(sse(piece({ content: 'a' }, 'stop', { error: null }))).failure).toBe(undefined)
  })
})

describe('usage', () => {
  const counted = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
  const early = { prompt_tokens: 7, completion_tokens: 1, total_tokens: 8 }
  const cases: [string, object[]][] = [
    ['in a chunk of its own', [role, piece({ content: 'a' }, 'stop'), { ...head, choices: [], usage: counted }]],
    ['with the finish', [role, piece({ content: 'a' }, 'stop', { usage: counted })]],
    ['first', [piece({ role: 'assistant', content: '' }, null, { usage: counted }), piece({ content: 'a' }, 'stop')]],
    ['growing in every chunk', [piece({ content: 'a' }, null, { usage: early }), piece({}, 'stop', { usage: counted })]],
    ['under x_groq', [role, piece({ content: 'a' }, 'stop', { x_groq: { id: 'r', usage: counted } })]],
    [
      'null until the end',
      [piece({ content: 'a' }, null, { usage: null }), piece({}, 'stop', { usage: null }), { ...head, choices: [], usage: counted }],
    ],
    ['with a wrong total', [piece({ content: 'a' }, 'stop', { usage: { ...counted, total_tokens: 99 } })]],
  ]
  test.each(cases)('%s: told once at the end if asked for, else never', (_, events) => {
    const asked = run(sse(...events, '[DONE]'), { includeUsage: true })
    expectWellFormed(asked, true)
    expect(asked.events.filter((event) => event.usage).map((event) => event.usage)).toEqual([counted])
    expect(asked.end).toMatchObject({ usage: counted, usageSource: 'provider' })
    const silent = run(sse(...events, '[DONE]'))
    expectWellFormed(silent)
    expect(silent.end.usage).toEqual(counted)
  })

  test.each([undefined, null, 'many', { prompt_tokens: -1, completion_tokens: '5' }, [], {}])('%j is estimated', (usage) => {
    const result = run(sse(piece({ content: 'twelve chars' }, 'stop', { usage })), { includeUsage: true, promptTokens: 20 })
    expect(result.end).toMatchObject({ usageSource: 'estimated', usage: { prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 } })
    expectWellFormed(result, true)
  })

  test('usage: null is cut out and put in as text', () => {
    const withNull = piece({ content: 'a' }, null, { usage: null })
    const without = piece({ content: 'a' })
    expect(run(sse(role, withNull, withNull)).sent).toBe(sse(role, without, without))
    expect(run(sse(role, without, without), { includeUsage: true }).sent).toBe(sse({ ...role, usage: null }, withNull, withNull))
  })

  test('a truncated stream gets no usage chunk', () => {
    expect(run(sse(role, piece({ content: 'a' })), { includeUsage: true }).end.output).toBe(undefined)
  })
})

describe('thinking aloud', () => {
  const whole = '<think>\nHmm, <b> 1 < 2.\n</think>\n\nThe answer: a < b'
  test('goes to reasoning_content, however it is split', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length), { maxLength: 12 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), whole.length]
        const pieces = places.slice(1).map((to, i) => piece({ content: whole.slice(places[i], to) }))
        const result = run(sse(role, ...pieces, piece({}, 'stop')))
        expectWellFormed(result)
        expect(text(result.chunks, 'reasoning')).toBe('Hmm, <b> 1 < 2.\n')
        expect(text(result.chunks)).toBe('The answer: a < b')
      }),
    )
  })

  test.each(['<', '<thi', '<thinking>', 'a <think>b</think>', '<div>x'])('%j is no thought', (content) => {
    const result = run(sse(role, piece({ content }), piece({}, 'stop')))
    expectWellFormed(result)
    expect(text(result.chunks)).toBe(content)
  })

  test('a thought that never closes is kept', () => {
    const result = run(sse(piece({ content: '<think>and so on</th' }), piece({}, 'length')))
    expect(text(result.chunks, 'reasoning')).toBe('and so on</th')
  })

  test('may come as parts of the content', () => {
    const thought = { type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] }
    const result = run(
      sse(piece({ content: [thought] }), piece({ content: [{ type: 'text', text: 'a' }] }), piece({ content: 'b' }, 'stop')),
    )
    expectWellFormed(result)
    expect([text(result.chunks, 'reasoning'), text(result.chunks)]).toEqual(['Hm', 'ab'])
  })

  test('reasoning is told under both names', () => {
    expect(run(sse(piece({ reasoning: 'Hm' }), piece({ content: 'a' }, 'stop'))).events[0]?.choices[0].delta).toMatchObject({
      reasoning: 'Hm',
      reasoning_content: 'Hm',
    })
  })
})

describe('tool calls', () => {
  const call = (fields: object) => piece({ tool_calls: [fields] })
  const first = call({ index: 0, id: 'a', type: 'function', function: { name: 'f', arguments: '' } })
  const next = call({ index: 0, function: { arguments: '{"x":1}' } })

  test('well-formed ones pass as they are', () => {
    expect(run(sse(role, first, next, piece({}, 'tool_calls'))).sent).toBe(sse(role, first, next, piece({}, 'tool_calls')))
  })

  test('stop after a call is tool_calls', () => {
    const result = run(sse(role, first, next, piece({}, 'stop')))
    expectWellFormed(result)
    expect(result.end.finish).toBe('tool_calls')
  })

  test('a call whose name never came is told at the end', () => {
    const result = run(sse(role, call({ index: 0, id: 'a', function: { name: null, arguments: '{}' } }), piece({}, 'tool_calls')))
    expectWellFormed(result)
    expect(calls(result.chunks)).toEqual([{ id: 'a', name: 'tool_0', arguments: '{}' }])
  })

  test('a call without an id gets one that is unique in the answer', () => {
    const result = run(
      sse(role, call({ function: { name: 'f', arguments: '{}' } }), call({ function: { name: 'g', arguments: '{}' } }), piece({}, 'stop')),
    )
    expectWellFormed(result)
    expect(new Set(calls(result.chunks).map(({ id }) => id)).size).toBe(2)
  })
})

test('whatever a provider sends, nothing throws and nothing malformed gets out', () => {
  const value = fc.oneof(
    fc.constant(null),
    fc.constant(''),
    fc.constant('x'),
    fc.constant(7),
    fc.constant([]),
    fc.constant({}),
    fc.jsonValue(),
  )
  const delta = fc.record(
    {
      role: value,
      content: fc.oneof(value, fc.constant('<think>a</think>')),
      reasoning: value,
      tool_calls: fc.oneof(
        value,
        fc.array(
          fc.record(
            {
              index: value,
              id: value,
              type: value,
              function: fc.oneof(value, fc.record({ name: value, arguments: value }, { requiredKeys: [] })),
            },
            { requiredKeys: [] },
          ),
        ),
      ),
      refusal: value,
    },
    { requiredKeys: [] },
  )
  const choice = fc.oneof(
    value,
    fc.record(
      {
        index: fc.oneof(fc.nat(2), value),
        delta: fc.oneof(delta, value),
        finish_reason: fc.oneof(value, fc.constantFrom('stop', 'tool_calls', 'eos')),
      },
      { requiredKeys: [] },
    ),
  )
  const event = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record(
        {
          id: value,
          created: value,
          model: value,
          choices: fc.oneof({ weight: 5, arbitrary: fc.array(choice, { maxLength: 3 }) }, { weight: 1, arbitrary: value }),
          usage: value,
        },
        { requiredKeys: ['choices'] },
      ),
    },
    { weight: 1, arbitrary: value },
  )
  fc.assert(
    fc.property(fc.array(event, { maxLength: 8 }), fc.boolean(), (events, includeUsage) => {
      const result = run(sse(...events.map((value) => JSON.stringify(value)), '[DONE]'), { includeUsage })
      if (!result.failure && result.end.complete && !result.end.empty) expectWellFormed(result, includeUsage)
    }),
    { numRuns: 1000 },
  )
})
