import { describe, expect, it } from 'vitest'
import type { Bus } from '#contracts/bus.ts'
import { isFrame, readFrame } from '#contracts/frame.ts'
import { Message } from '#contracts/message.ts'
import { control, inbox } from '#contracts/subjects.ts'
import { Outgoing, tooLate } from './outgoing.ts'

const KB = 1024
const owner = inbox('i1', 'r1', 1)
const listensAt = control('groq', 'w1', 'r1', 1)
const bytes = (length: number) => new Uint8Array(length)

/** What was published: the text of messages, and `seq:length` of frames, with a + where the event goes on. */
function begin(windowBytes?: number) {
  const published: string[] = []
  const publish: Bus['publish'] = (to, what, options) => {
    expect([to, options?.reply]).toEqual([owner, listensAt])
    const data = what instanceof Message ? what.encoded() : what
    const frame = isFrame(data) ? readFrame(data) : undefined
    published.push(frame ? `${frame.seq}:${frame.payload.length}${frame.continues ? '+' : ''}` : new TextDecoder().decode(data))
    return true
  }
  const out = new Outgoing({ bus: { publish }, inbox: owner, control: listensAt })
  if (windowBytes !== undefined) out.windowBytes = windowBytes
  return { out, since: () => published.splice(0) }
}

describe('frames', () => {
  it.each([
    ['nothing', 0, []],
    ['a little', 5, ['0:5']],
    ['just 64 KiB', 64 * KB, ['0:65536']],
    ['a byte more, in two', 64 * KB + 1, ['0:65536+', '1:1']],
    ['three times as much', 192 * KB, ['0:65536+', '1:65536+', '2:65536']],
  ])('take %s', (_, length, frames) => {
    const { out, since } = begin()
    out.send(bytes(length), true)
    expect(since()).toEqual(frames)
    expect(out.sent).toBe(frames.length)
  })

  it('do not say that they belong together when they may be torn apart', () => {
    const { out, since } = begin()
    out.send(bytes(65 * KB), false)
    expect(since()).toEqual(['0:65536', '1:1024'])
  })

  it('are numbered through, also behind those that are confirmed', () => {
    const { out, since } = begin()
    out.send(bytes(1), true)
    out.ack(0)
    out.send(bytes(2), true)
    expect(since()).toEqual(['0:1', '1:2'])
    expect(out.sent).toBe(2)
  })
})

describe('the window', () => {
  it('is full when so much is on its way, and open again when enough has arrived', () => {
    const { out } = begin(100)
    out.send(bytes(40), true)
    expect(out.full).toBe(false)
    out.send(bytes(55), true)
    expect(out.full).toBe(true)
    out.ack(0)
    expect(out.full).toBe(false)
    out.ack(1)
    expect(out.full).toBe(false)
  })

  it('is never overrun, however much there is to be sent: the rest follows as there is room, and last of all the end', () => {
    const { out, since } = begin(100 * KB)
    out.send(bytes(4 * 64 * KB), false)
    out.final({ t: 'end' })
    expect(since()).toEqual(['0:65536', '1:65536'])
    expect([out.sent, out.count, out.waits, out.repeatFinal()]).toEqual([2, 4, true, false])
    out.resend(1_000)
    expect(since()).toEqual(['0:65536', '1:65536'])
    out.ack(0)
    expect(since()).toEqual(['2:65536'])
    out.ack(2)
    expect(since()).toEqual(['3:65536', '{"t":"end"}'])
    out.ack(3)
    expect([since(), out.waits, out.full]).toEqual([[], false, false])
  })

  it('takes no notice of what was confirmed before, or never sent', () => {
    const { out, since } = begin(100)
    out.send(bytes(99), true)
    out.ack(-1)
    expect(out.full).toBe(true)
    out.ack(0)
    out.ack(0)
    out.ack(7)
    out.send(bytes(1), true)
    expect(since()).toEqual(['0:99', '1:1'])
    expect(out.full).toBe(false)
  })
})

describe('what was lost', () => {
  it('is sent again: the head, every frame that is not confirmed, the end', () => {
    const { out, since } = begin()
    out.head({ t: 'head' })
    for (const length of [1, 2, 3]) out.send(bytes(length), true)
    out.final({ t: 'end' })
    since()
    out.ack(0)
    out.resend(1_000)
    expect(since()).toEqual(['{"t":"head"}', '1:2', '2:3', '{"t":"end"}'])
  })

  it('is sent again at most every 100 ms', () => {
    const { out, since } = begin()
    out.send(bytes(1), true)
    since()
    for (const nowMs of [0, 99, 100, 150, 200]) out.resend(nowMs)
    expect(since()).toEqual(['0:1', '0:1', '0:1'])
  })

  it('may have been only told, and is then forgotten', () => {
    const { out, since } = begin()
    out.tell({ t: 'hb' })
    out.resend(1_000)
    expect(since()).toEqual(['{"t":"hb"}'])
  })
})

it('the end is repeated once there is one', () => {
  const { out, since } = begin()
  expect(out.repeatFinal()).toBe(false)
  out.final({ t: 'fail' })
  expect(out.repeatFinal()).toBe(true)
  expect(since()).toEqual(['{"t":"fail"}', '{"t":"fail"}'])
})

it('a grant that comes too late proves that nothing was sent, or does not know', () => {
  expect(tooLate('expired')).toMatchObject({ t: 'fail', phase: 'expired', code: 'expired', sent: false })
  expect(tooLate('gone')).toMatchObject({ t: 'fail', phase: 'gone', code: 'gone', sent: true })
})
