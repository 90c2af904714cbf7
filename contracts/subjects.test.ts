import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as subjects from './subjects.ts'

const { InvalidSubject, asAnswerInbox, asControl, asInbox, asProbeInbox, attemptOf, isToken, subject } = subjects

const foreign = [
  '',
  'a.b',
  'a b',
  '*',
  '>',
  'a*',
  '>a',
  'a\r\nPUB x',
  'a\n',
  '\t',
  'ä',
  '模型',
  'a\u0000',
  'gpt-4o:free',
  'a/b',
  'x'.repeat(41),
]

describe('a subject', () => {
  it.each([
    [subjects.jobs, 'fw.v1.job'],
    [subjects.work('groq'), 'fw.v1.work.groq'],
    [subjects.inbox('i1', 'r_1', 2), 'fw.v1.in.i1.r_1.2'],
    [subjects.inboxes('i1'), 'fw.v1.in.i1.>'],
    [subjects.offerReturn('o1', 'r1', 1), 'fw.v1.rt.o1.r1.1'],
    [subjects.offerReturns('o1'), 'fw.v1.rt.o1.>'],
    [subjects.control('groq', 'w1', 'r1', 3), 'fw.v1.ctl.groq.w1.r1.3'],
    [subjects.controls('groq', 'w1'), 'fw.v1.ctl.groq.w1.>'],
    [subjects.blob('i1', 'r1'), 'fw.v1.blob.i1.r1'],
    [subjects.blobs('i1'), 'fw.v1.blob.i1.>'],
    [subjects.lease('groq-1'), 'fw.v1.lease.groq-1'],
    [subjects.leases, 'fw.v1.lease.*'],
    [subjects.probeInbox('i1'), 'fw.v1.in.i1.probe.0'],
    [subjects.requestInboxPrefix('ingress'), 'fw.v1.re.ingress'],
    [subjects.event('worker', 'att', 'end'), 'fw.v1.evt.worker.att.end'],
    [subjects.events, 'fw.v1.evt.>'],
  ])('is spelled in one place: %s', (built, text) => expect(built).toBe(text))

  it('may have tokens of forty characters', () => {
    expect(subject('x'.repeat(40))).toBe(`fw.v1.${'x'.repeat(40)}`)
  })

  describe.each(foreign)('refuses the foreign token %j', (token) => {
    it.each<[string, () => unknown]>([
      ['subject', () => subject('a', token)],
      ['work', () => subjects.work(token)],
      ['inbox of an ingress', () => subjects.inbox(token, 'r', 1)],
      ['inbox of a request', () => subjects.inbox('i', token, 1)],
      ['inboxes', () => subjects.inboxes(token)],
      ['offerReturn', () => subjects.offerReturn('o', token, 1)],
      ['offerReturns', () => subjects.offerReturns(token)],
      ['control of a provider', () => subjects.control(token, 'w', 'r', 1)],
      ['control of a worker', () => subjects.control('p', token, 'r', 1)],
      ['control of a request', () => subjects.control('p', 'w', token, 1)],
      ['controls', () => subjects.controls('p', token)],
      ['blob', () => subjects.blob('i', token)],
      ['blobs', () => subjects.blobs(token)],
      ['lease', () => subjects.lease(token)],
      ['probeInbox', () => subjects.probeInbox(token)],
      ['requestInboxPrefix', () => subjects.requestInboxPrefix(token)],
      ['event', () => subjects.event('worker', 'att', token)],
    ])('in %s', (_, build) => expect(build).toThrow(InvalidSubject))
  })

  it('does not repeat what it refuses: it may be text of a client', () => {
    expect(() => subjects.work('secret.prompt')).toThrow(expect.not.objectContaining({ message: expect.stringContaining('secret') }))
  })

  it('never has a token that was not asked for, whatever the text', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        if (isToken(text)) expect(subject('a', text, 'b').split('.')).toEqual(['fw', 'v1', 'a', text, 'b'])
        else expect(() => subject('a', text, 'b')).toThrow(InvalidSubject)
      }),
    )
  })
})

it('a worker hears of all its attempts beside each of them, at a number that none has', () => {
  const all = subjects.controlOfAll(subjects.control('groq', 'w1', 'r1', 2))
  expect([all, attemptOf(all)?.n]).toEqual(['fw.v1.ctl.groq.w1.all.0', 0])
})

it.each([
  ['fw.v1.in.i1.r1.2', { request: 'r1', n: 2 }],
  ['fw.v1.ctl.groq.w1.r1.32', { request: 'r1', n: 32 }],
  ['fw.v1.in.i1.probe.0', { request: 'probe', n: 0 }],
  ['fw.v1.in.i1.r1.x', undefined],
  ['fw.v1.in.i1.r1.-1', undefined],
  ['fw.v1.in.i1.r1.1-5', undefined],
  ['fw.v1.in.i1.r1.', undefined],
  ['fw.v1.in.i1.r1.1e3', undefined],
  ['fw.v1.in.i1.r1.0x10', undefined],
  ['2', undefined],
  ['', undefined],
])('the attempt of %j is %j', (text, attempt) => expect(attemptOf(text)).toEqual(attempt))

describe('an address that came in a message', () => {
  const control = subjects.control('groq', 'w1', 'r1', 2)
  const inbox = subjects.inbox('i1', 'r1', 2)

  it('is taken if it is what it must be', () => {
    expect(asControl(control, 'groq', 'r1', 2)).toBe(control)
    expect(asInbox(inbox, 'r1', 2)).toBe(inbox)
    expect(asProbeInbox(subjects.probeInbox('i1'))).toBe('fw.v1.in.i1.probe.0')
    expect(asAnswerInbox(`${subjects.requestInboxPrefix('ingress')}.a1.b2`)).toBe('fw.v1.re.ingress.a1.b2')
  })

  it.each([
    ['none at all', undefined],
    ['another provider', subjects.control('gemini', 'w1', 'r1', 2)],
    ['another request', subjects.control('groq', 'w1', 'r2', 2)],
    ['another attempt', subjects.control('groq', 'w1', 'r1', 3)],
    ['an inbox', inbox],
    ['a wildcard for the worker', 'fw.v1.ctl.groq.*.r1.2'],
    ['no worker', 'fw.v1.ctl.groq..r1.2'],
    ['no room between its ends', 'fw.v1.ctl.groq.r1.2'],
    ['a token too many', 'fw.v1.ctl.groq.w1.w2.r1.2'],
    ['a line break', 'fw.v1.ctl.groq.w1\r\nPUB x.r1.2'],
  ])('is no control subject with %s', (_, text) => expect(asControl(text, 'groq', 'r1', 2)).toBeUndefined())

  it.each([
    ['none at all', undefined],
    ['another request', subjects.inbox('i1', 'r2', 2)],
    ['another attempt', subjects.inbox('i1', 'r1', 1)],
    ['the number of another that ends alike', subjects.inbox('i1', 'r1', 12)],
    ['a control subject', control],
    ['everything', 'fw.v1.in.>.r1.2'],
    ['an event subject', 'fw.v1.evt.i1.r1.2'],
  ])('is no inbox with %s', (_, text) => expect(asInbox(text, 'r1', 2)).toBeUndefined())

  it.each([undefined, inbox, 'fw.v1.in.probe.0', 'fw.v1.in.*.probe.0', 'fw.v1.in.i1.probe.1'])('is no probe inbox: %s', (text) =>
    expect(asProbeInbox(text)).toBeUndefined(),
  )

  it.each([undefined, inbox, 'fw.v1.re.', 'fw.v1.re.ingress.>', 'fw.v1.re.ingress..a', 'fw.v1.re.a b', 'fw.v1.rex.a', 'x.fw.v1.re.a'])(
    'is no place for an answer: %s',
    (text) => expect(asAnswerInbox(text)).toBeUndefined(),
  )
})
