import { describe, expect, it } from 'vitest'
import type { Event } from '#contracts/event.ts'
import { changesOf } from './merge.ts'

const started: Event = { id: 'r.0.req.start.ingress', at: 10, name: 'req.start', request: 'r', model: 'm', stream: true }
const granted: Event = { id: 'r.1.att.granted.ingress', at: 20, name: 'att.granted', request: 'r', n: 1, provider: 'alpha', worker: 'w' }
const ended = (role: string, at: number): Event => ({
  id: `r.1.att.end.${role}`,
  at,
  name: 'att.end',
  request: 'r',
  n: 1,
  provider: 'alpha',
  model: 'm',
  result: 'ok',
  sent: true,
  in: 1,
  out: 2,
  ttfb_ms: null,
  duration_ms: 3,
})
const find = (events: Event[], kind: string) => changesOf(events).filter((change) => change.kind === kind)

describe('facts become changes of records', () => {
  it('of the request, and of the attempt with its request', () => {
    expect(changesOf([started, granted])).toEqual([
      {
        kind: 'request',
        key: 'r',
        at: 20,
        fixed: {},
        parts: { start: { at: 10, model: 'm', stream: true } },
        facts: [started.id, granted.id],
      },
      {
        kind: 'attempt',
        key: 'r.1',
        at: 20,
        fixed: { request: 'r', n: 1 },
        parts: { granted: { at: 20, provider: 'alpha', worker: 'w' } },
        facts: [granted.id],
      },
    ])
  })

  it('what ingress and worker tell of one attempt stands side by side, each with its own time', () => {
    const [change] = find([ended('worker', 30), ended('ingress', 40)], 'attempt')
    expect(change?.parts).toMatchObject({ ingress: { at: 40, result: 'ok' }, worker: { at: 30, result: 'ok' } })
    expect(change?.at).toBe(40)
  })

  it('in any order, and told twice, they are the same changes', () => {
    const facts = [started, granted, ended('worker', 30), ended('ingress', 40)]
    const content = (events: Event[]) => new Map(changesOf(events).map(({ facts: _, ...change }) => [change.kind + change.key, change]))
    expect(content([...facts.toReversed(), ...facts])).toEqual(content(facts))
  })

  it('a fact that touches two records is saved when both are', () => {
    expect(changesOf([granted]).map(({ facts }) => facts)).toEqual([[granted.id], [granted.id]])
  })

  it('facts that were lost have a record of their own', () => {
    const id = 'i.1.drop.count.worker'
    expect(changesOf([{ id, at: 5, name: 'drop.count', instance: 'i', dropped: 3 }])).toEqual([
      { kind: 'dropped', key: id, at: 5, fixed: {}, parts: { fact: { at: 5, instance: 'i', dropped: 3 } }, facts: [id] },
    ])
  })

  it('names of requests are names, whatever they are', () => {
    expect(changesOf([{ ...started, request: '__proto__' }]).map(({ key }) => key)).toEqual(['__proto__'])
  })
})
