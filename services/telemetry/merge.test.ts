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

describe('facts become changes of records', () => {
  it('each in a place of its own, in the record of its request', () => {
    expect(changesOf([granted, started])).toEqual({
      requests: [
        {
          key: 'r',
          first: 10,
          parts: { start: { at: 10, model: 'm', stream: true }, 'attempts.1.granted': { at: 20, provider: 'alpha', worker: 'w' } },
          facts: [granted.id, started.id],
        },
      ],
      dropped: [],
    })
  })

  it('what ingress and worker tell of one attempt stands side by side', () => {
    const [change] = changesOf([ended('worker', 30), ended('ingress', 40)]).requests
    expect(change?.parts).toMatchObject({
      'attempts.1.ingress': { at: 40, result: 'ok' },
      'attempts.1.worker': { at: 30, result: 'ok' },
    })
  })

  it('an end says when its request began, and what became of its last attempt', () => {
    const last = { n: 2, worker: 'w', account: 'a', granted_at: 960, result: 'ok', sent: true, in: 1, out: 2, ttfb_ms: 9, duration_ms: 30 }
    const end: Event = {
      ...{ id: 'r.0.req.end.ingress', at: 1_000, name: 'req.end', request: 'r', outcome: 'ok', status: 200 },
      ...{ provider: 'alpha', model: 'm', attempts: 2, in: 1, out: 2, duration_ms: 99.6, last },
    }
    const [change] = changesOf([end]).requests
    expect(change).toMatchObject({ first: 900, facts: [end.id] })
    expect(change?.parts).toEqual({
      end: { at: 1_000, outcome: 'ok', status: 200, provider: 'alpha', model: 'm', attempts: 2, in: 1, out: 2, duration_ms: 99.6 },
      'attempts.2.ingress': {
        ...{ at: 1_000, provider: 'alpha', model: 'm', worker: 'w', account: 'a', granted_at: 960 },
        ...{ result: 'ok', sent: true, in: 1, out: 2, ttfb_ms: 9, duration_ms: 30 },
      },
    })
  })

  it('a start that is told late says which attempt runs', () => {
    const late: Event = { ...started, granted: { n: 1, provider: 'alpha', worker: 'w', at: 20 } }
    expect(changesOf([late]).requests[0]?.parts).toEqual(changesOf([started, granted]).requests[0]?.parts)
  })

  it('an end that telemetry found out never takes the place of one that was told', () => {
    const end = { at: 50, name: 'req.end', request: 'r', outcome: 'ok', status: 200, provider: null, model: null } as const
    const rest = { attempts: 1, in: 1, out: 1, duration_ms: 1 }
    const told: Event = { id: 'r.0.req.end.ingress', ...end, ...rest }
    const found: Event = { id: 'r.0.req.end.telemetry', ...end, ...rest, outcome: 'lost' }
    expect(changesOf([told, found]).requests[0]?.parts).toMatchObject({ end: { outcome: 'ok' }, reaped: { outcome: 'lost' } })
  })

  it('in any order, and told twice, they are the same changes', () => {
    const facts = [started, granted, ended('worker', 30), ended('ingress', 40)]
    const content = (events: Event[]) => changesOf(events).requests.map(({ facts: _, ...change }) => change)
    expect(content([...facts.toReversed(), ...facts])).toEqual(content(facts))
  })

  it('facts that were lost have a record of their own', () => {
    const id = 'i.1.drop.count.worker'
    expect(changesOf([{ id, at: 5, name: 'drop.count', instance: 'i', dropped: 3 }])).toEqual({
      requests: [],
      dropped: [{ key: id, at: 5, instance: 'i', dropped: 3 }],
    })
  })

  it('names of requests are names, whatever they are', () => {
    expect(changesOf([{ ...started, request: '__proto__' }]).requests.map(({ key }) => key)).toEqual(['__proto__'])
  })
})
