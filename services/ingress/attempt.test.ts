import { describe, expect, it } from 'vitest'
import type { InboxMessage } from '#contracts/attempt.ts'
import { control, inbox, offerReturn } from '#contracts/subjects.ts'
import { head } from '#test/support/head.ts'
import type { Attempt, Stage, Step } from './attempt.ts'
import { acknowledge, newAttempt, onAbsence, onFrame, onMessage, onNobodyThere, onReconnected, onTick, wantsAck } from './attempt.ts'

const START = 10_000
const patience = { silenceMs: 2_000, goneMs: 60, probeEveryMs: 20, acceptMs: 150 }
const target = { prov: 'groq', account: 'groq-1', model: 'm', billable: false }
const worker = control('groq', 'w1', 'r1', 1)
const router = offerReturn('o1', 'r1', 1)
const otherWorker = control('groq', 'w2', 'r1', 1)

const said = {
  routed: { t: 'routed', ...target, lease: 'r1.1', reason: 'weight' },
  noroute: { t: 'noroute', reason: 'none' },
  waiting: { t: 'waiting', wait_ms: 20_000, position: 1 },
  refused: { t: 'refused', prov: 'groq', reason: 'no_worker' },
  busy: { t: 'busy', prov: 'groq', account: 'groq-1', lease: 'r1.1', w: 'w1', reason: 'full' },
  accept: { t: 'accept', w: 'w1', ...target },
  hb: { t: 'hb', st: 'waiting', seq: 0 },
  head,
  end: { t: 'end', seq: 0, finish: 'stop', usage: { in: 1, out: 1 }, usage_source: 'provider' },
  fail: { t: 'fail', seq: 0, phase: 'status', status: 429, code: 'rate_limited', sent: true, key_fault: false, detail: '' },
  pong: { t: 'pong', router: 'o1' },
} as const satisfies Record<string, InboxMessage>

const say = (attempt: Attempt, message: InboxMessage, { afterMs = 0, grace = false, from = worker } = {}) =>
  onMessage(attempt, message, message.t === 'accept' ? from : undefined, grace, START + afterMs)
const frame = (attempt: Attempt, seq: number, { afterMs = 0, bytes = 1 } = {}) =>
  onFrame(attempt, { seq, continues: false, payload: new Uint8Array(bytes) }, START + afterMs)
const tick = (attempt: Attempt, afterMs: number, grace = false) => onTick(attempt, patience, grace, START + afterMs)

function at(stage: Stage): Attempt {
  const attempt = newAttempt(1, inbox('i1', 'r1', 1), START)
  if (stage === 'submitted') return attempt
  say(attempt, said.accept)
  if (stage === 'granted') return attempt
  say(attempt, said.head)
  if (stage === 'over') say(attempt, said.end)
  return attempt
}

describe('every message at every stage', () => {
  const kinds = Object.keys(said) as (keyof typeof said)[]
  const expected: Record<Exclude<Stage, 'over'>, Partial<Record<keyof typeof said, [Step['do'], Stage]>>> = {
    submitted: {
      accept: ['grant', 'granted'],
      waiting: ['wait', 'submitted'],
      refused: ['replace', 'over'],
      busy: ['replace', 'over'],
      noroute: ['noroute', 'over'],
    },
    granted: { accept: ['grant', 'granted'], head: ['open', 'open'], end: ['resend', 'granted'], fail: ['failed', 'over'] },
    open: { accept: ['grant', 'open'], end: ['complete', 'over'], fail: ['failed', 'over'] },
  }
  const table = (Object.keys(expected) as (keyof typeof expected)[]).flatMap((stage) =>
    kinds.map((kind) => [kind, stage, ...(expected[stage][kind] ?? (['nothing', stage] as const))] as const),
  )
  it.each(table)('%s while %s: %s, then %s', (kind, stage, step, then) => {
    const attempt = at(stage)
    expect(say(attempt, said[kind]).do).toBe(step)
    expect(attempt.stage).toBe(then)
  })

  it('says why another attempt is needed, and hands on what was said', () => {
    expect(say(at('submitted'), said.refused)).toEqual({ do: 'replace', why: 'refused', prov: 'groq' })
    expect(say(at('submitted'), said.busy)).toEqual({ do: 'replace', why: 'busy', prov: 'groq' })
    expect(say(at('submitted'), said.noroute)).toEqual({ do: 'noroute', noroute: said.noroute })
    expect(say(at('granted'), said.head)).toEqual({ do: 'open', head: said.head })
    expect(say(at('granted'), said.fail)).toEqual({ do: 'failed', fail: said.fail })
    expect(say(at('open'), said.end)).toEqual({ do: 'complete', end: said.end })
  })
})

describe('accept', () => {
  it('may overtake the word of the router', () => {
    const attempt = at('submitted')
    expect(say(attempt, said.accept, { afterMs: 3 }).do).toBe('grant')
    expect(say(attempt, said.routed, { afterMs: 5 }).do).toBe('nothing')
    expect(attempt).toMatchObject({ stage: 'granted', acceptedMs: START + 3, routedMs: START + 5, control: worker })
    expect(attempt.target).toMatchObject(target)
  })

  it('without a control subject of this very attempt counts for nothing', () => {
    const attempt = at('submitted')
    expect(onMessage(attempt, said.accept, undefined, false, START)).toEqual({ do: 'nothing' })
    expect(attempt.stage).toBe('submitted')
  })

  it('of a second worker is not granted', () => {
    const attempt = at('granted')
    expect(say(attempt, said.accept, { from: otherWorker }).do).toBe('nothing')
    expect(attempt.control).toBe(worker)
  })

  it('that is repeated is granted again: its worker has not seen the grant', () => {
    expect(say(at('granted'), said.accept).do).toBe('grant')
  })
})

describe('frames', () => {
  it('are handed on in order, each once', () => {
    const attempt = at('open')
    expect([0, 1, 1, 0, 2].map((seq) => frame(attempt, seq))).toEqual(['deliver', 'deliver', 'drop', 'drop', 'deliver'])
    expect(attempt.next).toBe(3)
  })

  it('behind a gap are asked for again, at most every 100 ms', () => {
    const attempt = at('open')
    frame(attempt, 0)
    expect([0, 1, 99, 100, 150, 200].map((afterMs) => frame(attempt, 2, { afterMs }))).toEqual([
      'resend',
      'drop',
      'drop',
      'resend',
      'drop',
      'resend',
    ])
    expect(attempt.next).toBe(1)
    expect(frame(attempt, 1, { afterMs: 201 })).toBe('deliver')
  })

  it.each<Stage>(['submitted', 'granted', 'over'])('that come while %s are dropped', (stage) => {
    const attempt = at(stage)
    expect(frame(attempt, 0)).toBe('drop')
    expect(attempt.next).toBe(0)
  })

  it.each([
    ['few and small', 15, 1, false],
    ['sixteen', 16, 1, true],
    ['64 KiB', 1, 64 * 1024, true],
    ['a byte less', 1, 64 * 1024 - 1, false],
  ])('are acknowledged when there are %s: %d of %d bytes', (_, count, bytes, wanted) => {
    const attempt = at('open')
    for (let seq = 0; seq < count; seq++) frame(attempt, seq, { bytes })
    expect(wantsAck(attempt)).toBe(wanted)
    expect(acknowledge(attempt, START)).toBe(count - 1)
    expect(wantsAck(attempt)).toBe(false)
  })

  it('none of them is what is acknowledged first', () => expect(acknowledge(at('open'), START)).toBe(-1))
})

describe('what was lost on the way', () => {
  it('is missed by the end, which then waits', () => {
    const attempt = at('open')
    frame(attempt, 0)
    expect(say(attempt, { ...said.end, seq: 3 }).do).toBe('resend')
    expect(say(attempt, { ...said.end, seq: 3 }, { afterMs: 50 }).do).toBe('nothing')
    frame(attempt, 1)
    frame(attempt, 2)
    expect(say(attempt, { ...said.end, seq: 3 }, { afterMs: 60 }).do).toBe('complete')
  })

  it('is missed by a failure, which then waits', () => {
    const attempt = at('open')
    expect(say(attempt, { ...said.fail, seq: 1 }).do).toBe('resend')
    frame(attempt, 0)
    expect(say(attempt, { ...said.fail, seq: 1 }).do).toBe('failed')
  })

  it('is missed by the beat of a worker whose window is full', () => {
    const attempt = at('open')
    frame(attempt, 0)
    expect(say(attempt, { ...said.hb, seq: 1 }).do).toBe('nothing')
    expect(say(attempt, { ...said.hb, seq: 2 }).do).toBe('resend')
  })

  it('may be the head: frames and end without one are asked for again', () => {
    const attempt = at('granted')
    expect(say(attempt, { ...said.hb, seq: 2 }).do).toBe('resend')
    expect(say(attempt, { ...said.end, seq: 2 }, { afterMs: 100 }).do).toBe('resend')
  })
})

describe('waiting for quota', () => {
  const park = (attempt: Attempt, afterMs: number) => onMessage(attempt, said.waiting, router, false, START + afterMs)

  it('goes on for as long as the router repeats itself, and ends three seconds after its last word', () => {
    const attempt = at('submitted')
    for (let afterMs = 100; afterMs <= 30_100; afterMs += 1_000) {
      expect(tick(attempt, afterMs).do).toBe('nothing')
      expect(park(attempt, afterMs).do).toBe('wait')
    }
    expect(tick(attempt, 33_099).do).toBe('nothing')
    expect(tick(attempt, 33_100)).toEqual({ do: 'replace', why: 'waiting_timeout' })
  })

  it('knows which router keeps the job, until that has found a place for it', () => {
    const attempt = at('submitted')
    park(attempt, 0)
    expect(attempt.parked).toEqual({ router })
    say(attempt, said.routed, { afterMs: 20_000 })
    expect(attempt.parked).toBeUndefined()
    expect(tick(attempt, 20_149).do).toBe('nothing')
    expect(tick(attempt, 20_150)).toEqual({ do: 'replace', why: 'accept_timeout' })
  })

  it('ends with the accept of a worker that overtakes the word of the router', () => {
    const attempt = at('submitted')
    park(attempt, 0)
    expect([say(attempt, said.accept, { afterMs: 20_000 }).do, attempt.parked]).toEqual(['grant', undefined])
  })
})

describe('waiting for a worker', () => {
  it.each([
    ['no router has answered', false, 'route_timeout'],
    ['a router has', true, 'accept_timeout'],
  ])('ends with the next attempt: %s', (_, routed, why) => {
    const attempt = at('submitted')
    if (routed) say(attempt, said.routed)
    expect(tick(attempt, 149)).toEqual({ do: 'nothing' })
    expect(tick(attempt, 150)).toEqual({ do: 'replace', why })
    expect(attempt.stage).toBe('over')
  })

  it('takes no notice of time in which we were away ourselves', () => {
    const attempt = at('submitted')
    onAbsence(attempt, 5_000)
    expect(tick(attempt, 5_149).do).toBe('nothing')
    expect(tick(attempt, 5_150).do).toBe('replace')
    expect(attempt.submittedMs).toBe(START)
  })

  it('ends at once if there is no router', () => {
    expect(onNobodyThere(at('submitted'), false, START)).toEqual({ do: 'no_router' })
  })

  it('is left to its timer just after our own reconnect: who is missing may be coming', () => {
    const attempt = at('submitted')
    expect(onNobodyThere(attempt, true, START).do).toBe('nothing')
    expect(say(attempt, said.refused, { grace: true }).do).toBe('nothing')
    expect(attempt.stage).toBe('submitted')
    expect(say(attempt, said.busy, { grace: true }).do).toBe('replace')
  })
})

describe('a granted worker', () => {
  it('is told again every 500 ms that it may call, until it has said something', () => {
    const attempt = at('granted')
    expect(tick(attempt, 499).do).toBe('nothing')
    expect(tick(attempt, 500).do).toBe('grant')
    say(attempt, said.hb, { afterMs: 510 })
    expect(tick(attempt, 520).do).toBe('beat')
  })

  it('hears from us every 500 ms, unless it was acknowledged meanwhile', () => {
    const attempt = at('open')
    expect(tick(attempt, 500).do).toBe('beat')
    acknowledge(attempt, START + 500)
    expect(tick(attempt, 999).do).toBe('nothing')
    expect(tick(attempt, 1_000).do).toBe('beat')
  })

  it('that is silent for two seconds is lost', () => {
    const attempt = at('open')
    say(attempt, said.hb, { afterMs: 100 })
    expect(tick(attempt, 2_099).do).not.toBe('lost')
    expect(tick(attempt, 2_100)).toEqual({ do: 'lost', why: 'silent' })
    expect(attempt.stage).toBe('over')
  })

  it.each(['hb', 'head', 'frame'])('is alive by every %s', (kind) => {
    const attempt = at('granted')
    if (kind === 'frame') frame(attempt, 0, { afterMs: 1_000 })
    else say(attempt, said[kind as 'hb'], { afterMs: 1_000 })
    expect(tick(attempt, 2_999).do).not.toBe('lost')
  })

  it('is not alive by the word of a router', () => {
    const attempt = at('granted')
    say(attempt, said.routed, { afterMs: 1_000 })
    expect(tick(attempt, 2_000)).toEqual({ do: 'lost', why: 'silent' })
  })

  it('that nobody listens for is asked for again, then gone', () => {
    const attempt = at('open')
    expect(onNobodyThere(attempt, false, START).do).toBe('nothing')
    expect(tick(attempt, 1).do).toBe('probe')
    onNobodyThere(attempt, false, START + 2)
    expect(tick(attempt, 60)).toEqual({ do: 'lost', why: 'gone' })
  })

  it('is not gone just after our own reconnect', () => {
    const attempt = at('open')
    onNobodyThere(attempt, true, START)
    expect(tick(attempt, 60, true).do).not.toBe('lost')
    expect(tick(attempt, 600, true).do).toBe('beat')
    expect(tick(attempt, 601, false)).toEqual({ do: 'lost', why: 'gone' })
  })

  it('is not silent in time in which we were away ourselves', () => {
    const attempt = at('open')
    onAbsence(attempt, 30_000)
    expect(tick(attempt, 30_000).do).toBe('beat')
    expect(tick(attempt, 32_000)).toEqual({ do: 'lost', why: 'silent' })
  })
})

describe('after the bus was away', () => {
  it('an attempt that was not granted is given up for the next', () => {
    const attempt = at('submitted')
    expect(onReconnected(attempt, START + 900)).toEqual({ do: 'replace', why: 'route_timeout' })
    expect(attempt.stage).toBe('over')
    const placed = at('submitted')
    say(placed, said.routed)
    expect(onReconnected(placed, START + 900)).toEqual({ do: 'replace', why: 'accept_timeout' })
  })

  it.each<Stage>(['granted', 'open'])('one that is %s goes on, and what was lost is asked for', (stage) => {
    const attempt = at(stage)
    expect(onReconnected(attempt, START + 60_000)).toEqual({ do: 'resend' })
    expect(tick(attempt, 61_999).do).not.toBe('lost')
    expect(attempt.stage).toBe(stage)
  })

  it('one that is over stays over', () => {
    expect(onReconnected(at('over'), START)).toEqual({ do: 'nothing' })
    expect(tick(at('over'), 1_000_000)).toEqual({ do: 'nothing' })
  })
})
