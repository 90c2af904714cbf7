import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import * as talk from './attempt.ts'
import { utf8 } from './bytes.ts'
import { decode, decodeKind, encode, kindsOf, Message } from './message.ts'
import { settlements } from './settlement.ts'

const anything = z.looseObject({ t: z.string() })
const text = (bytes: Uint8Array | undefined) => bytes && new TextDecoder().decode(bytes)

describe('a message', () => {
  it('comes back with its body untouched, whatever either holds', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.option(fc.uint8Array({ maxLength: 200 }), { nil: undefined }), (value, body) => {
        const message = JSON.parse(JSON.stringify({ t: 'x', value }))
        const read = decode(anything, encode(message, body))
        expect(read?.message).toEqual(message)
        expect(read?.body && [...read.body]).toEqual(body && [...body])
      }),
    )
  })

  it.each(['', '\n', '\n\n', '{}', '{"t":"deny"}\n{"t":"grant"}', '}\n{', '{"messages":[{"content":"a\nb"}]}'])(
    'is not confused by a body that looks like one: %j',
    (body) => {
      const read = decode(anything, encode({ t: 'submit', note: 'line\nfeed and {braces}' }, utf8(body)))
      expect(read?.message).toEqual({ t: 'submit', note: 'line\nfeed and {braces}' })
      expect(text(read?.body)).toBe(body)
    },
  )

  it('without a body has none, not an empty one', () => {
    expect(decode(anything, encode({ t: 'probe' }))).toEqual({ message: { t: 'probe' }, body: undefined })
    expect(decode(anything, encode({ t: 'probe' }, new Uint8Array()))?.body).toHaveLength(0)
  })

  it('gives its body as a view, not a copy', () => {
    const bytes = encode({ t: 'x' }, utf8('abc'))
    const body = decode(anything, bytes)?.body
    bytes[bytes.length - 1] = 0x7a
    expect(text(body)).toBe('abz')
  })

  const garbage = [
    '',
    '{',
    '{"t":',
    'null',
    '[]',
    '"{"',
    ' {"t":"x"}',
    '{"t":"x"',
    '{"t":"x"}}',
    '{"t":1}',
    '{}',
    '\u0001\u0000',
    '{"t":"x"\n}',
  ]

  it.each(garbage)('is not %j', (bytes) => expect(decode(anything, utf8(bytes))).toBeUndefined())
  it.each(garbage)('of a known kind is not %j', (bytes) => expect(decodeKind(new Set(['x', 'y']), { data: utf8(bytes) })).toBeUndefined())

  it('never throws, whatever comes in', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const head = new Uint8Array([0x7b, ...bytes])
        decode(talk.jobMessage, head)
        decodeKind(talk.inboxKinds, { data: head })
      }),
    )
  })
})

describe('within a conversation only the kind is looked at', () => {
  it('so a known one comes as it is', () => {
    expect(decodeKind(talk.controlKinds, { data: encode({ t: 'ack', s: 3, new_field: 1 }) })?.message).toEqual({
      t: 'ack',
      s: 3,
      new_field: 1,
    })
  })

  it.each([{ t: 'offer' }, { t: 'toString' }, { t: '__proto__' }, { t: ['ack'] }, { t: null }, {}, [{ t: 'ack' }]])(
    'and %j is none',
    (message) => {
      expect(decodeKind(talk.controlKinds, { data: encode(message) })).toBeUndefined()
    },
  )

  it('so one that was said in this process is read as it was said, without its bytes', () => {
    const said = new Message({ t: 'grant', window: 1, ttl_ms: 2 }, utf8('body'))
    const unread = {
      said,
      get data(): Uint8Array {
        throw new Error('nobody wants them')
      },
    }
    expect(decodeKind(talk.controlKinds, unread)).toEqual({ message: said.head, body: said.body })
    expect(decodeKind(talk.inboxKinds, unread)).toBeUndefined()
    expect(decodeKind(talk.controlKinds, { data: said.encoded() })).toEqual({ message: said.head, body: said.body })
  })

  it('and every union names its own', () => {
    expect([...kindsOf(talk.controlMessage)].sort()).toEqual(['ack', 'cancel', 'deny', 'fins', 'grant'])
    expect([...talk.inboxKinds].sort()).toEqual(
      ['accept', 'busy', 'end', 'fail', 'hb', 'head', 'noroute', 'pong', 'refused', 'routed', 'waiting', 'whole'].sort(),
    )
  })
})

const target = { prov: 'groq', account: 'groq-1', model: 'openai/gpt-oss-120b', billable: false }
const usage = { in: 9, out: 4, cached: 2, reasoning: 1 }
const sha256 = 'a'.repeat(64)
const blob = { size: 600_000, sha256, parts: 2, part_size: 524_288 }
const submit = {
  v: 1,
  t: 'submit',
  id: 'r1',
  n: 1,
  ttl_ms: 59_990.25,
  kind: 'chat',
  stream: true,
  include_usage: false,
  fallback: true,
  billable_ok: true,
  need: { tools: false, vision: false, json: false, ctx: 12 },
  est: { in: 9, out: 512 },
  exclude: ['gemini/gemini-1'],
  avoid: ['mistral'],
}
const offer = {
  ...target,
  v: 1,
  t: 'offer',
  id: 'r1',
  n: 1,
  ttl_ms: 5,
  inbox: 'fw.v1.in.i.r1.1',
  kind: 'chat',
  stream: true,
  include_usage: true,
  est: submit.est,
  lease: 'r1.1',
}
const fail = {
  t: 'fail',
  seq: 0,
  phase: 'status',
  status: 429,
  code: 'rate_limited',
  sent: true,
  key_fault: false,
  retry_after_ms: 17_000,
  usage,
  detail: '429',
}
const outcome = {
  prov: 'groq',
  account: 'groq-1',
  model: 'm',
  status: 200,
  phase: null,
  key_fault: false,
  retry_after_ms: null,
  ttfb_ms: 12.5,
}

describe('what is said of an attempt passes its own schema and comes back whole', () => {
  it.each<[string, z.ZodType, object]>([
    ['submit', talk.jobMessage, submit],
    [
      'submit with a claim check, trace and model',
      talk.jobMessage,
      { ...submit, model: 'auto', preferred: 'groq', blob, trace: { traceparent: '00-a-b-01' } },
    ],
    ['probe', talk.jobMessage, { v: 1, t: 'probe' }],
    ['offer', talk.offer, offer],
    ['offer with a claim check', talk.offer, { ...offer, blob }],
    ['routed', talk.inboxMessage, { t: 'routed', ...target, lease: 'r1.1', reason: 'weight' }],
    ['noroute', talk.inboxMessage, { t: 'noroute', reason: 'cooldown', retry_after_ms: 1.5 }],
    ['refused', talk.inboxMessage, { t: 'refused', prov: 'groq', reason: 'no_worker' }],
    ['busy', talk.inboxMessage, { t: 'busy', prov: 'groq', account: 'groq-1', lease: 'r1.1', w: 'w1', reason: 'draining' }],
    ['accept', talk.inboxMessage, { t: 'accept', w: 'w1', ...target }],
    ['hb', talk.inboxMessage, { t: 'hb', st: 'paused', seq: 17 }],
    [
      'head',
      talk.inboxMessage,
      { t: 'head', status: 200, framing: 'sse', type: 'text/event-stream', provider: 'groq', model: 'm', worker_ms: 0.12, upstream_ms: 30 },
    ],
    [
      'end',
      talk.inboxMessage,
      { t: 'end', seq: 118, finish: 'stop', usage, usage_source: 'provider', upstream_id: 'c1', flags: ['no_done'] },
    ],
    ['fail', talk.inboxMessage, fail],
    ['pong', talk.inboxMessage, { t: 'pong', router: 'o1' }],
    ['grant', talk.controlMessage, { t: 'grant', window: 262_144, ttl_ms: 59_980 }],
    ['deny', talk.controlMessage, { t: 'deny' }],
    ['ack', talk.controlMessage, { t: 'ack', s: -1, resend: true }],
    ['ack of the end', talk.controlMessage, { t: 'ack', s: 117, fin: true }],
    ['cancel', talk.controlMessage, { t: 'cancel', why: 'client_stalled' }],
    ['settle', settlements, { t: 'settlements', items: [{ t: 'settle', lease: 'r1.1', mode: 'actual', usage, outcome }] }],
    ['release', settlements, { t: 'settlements', items: [{ t: 'release', lease: 'r1.1' }] }],
    ['part', talk.blobQuestion, { t: 'part', n: 1, k: 0 }],
  ])('%s', (_, schema, message) => {
    expect(decode(schema, encode(message))?.message).toEqual(message)
  })

  it.each([
    ['another version', { ...submit, v: 2 }],
    ['an attempt number without end', { ...submit, n: 33 }],
    ['an id that is no token', { ...submit, id: 'r.1' }],
    ['another kind of job', { ...submit, kind: 'opera' }],
    ['a hash that is none', { ...submit, blob: { ...blob, sha256: 'A'.repeat(64) } }],
  ])('a job with %s is not read', (_, message) => expect(decode(talk.jobMessage, encode(message))).toBeUndefined())

  it.each(['a.b', '*', 'a b', ''])('an offer for the provider %j is not read', (prov) => {
    expect(decode(talk.offer, encode({ ...offer, prov }))).toBeUndefined()
  })
})
