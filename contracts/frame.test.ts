import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFrame, readBodyPart, readFrame, writeBodyPart, writeFrame } from './frame.ts'
import { encode } from './message.ts'

const u32 = fc.oneof(fc.integer({ min: 0, max: 0xff_ff_ff_ff }), fc.constantFrom(0, 0x7f_ff_ff_ff, 0x80_00_00_00, 0xff_ff_ff_ff))
const payloads = fc.uint8Array({ maxLength: 300 })
const plain = (bytes: Uint8Array | undefined) => bytes && [...bytes]

describe('a data frame', () => {
  it('comes back as it was written, whatever it holds', () => {
    fc.assert(
      fc.property(u32, payloads, fc.boolean(), (seq, payload, continues) => {
        const bytes = writeFrame(seq, payload, continues)
        const read = readFrame(bytes)
        expect(isFrame(bytes)).toBe(true)
        expect({ ...read, payload: plain(read?.payload) }).toEqual({ seq, continues, payload: plain(payload) })
      }),
    )
  })

  it('has its number big-endian behind one byte for its kind', () => {
    expect(plain(writeFrame(0x01_02_03_04, new Uint8Array([9])))).toEqual([0x01, 1, 2, 3, 4, 9])
    expect(plain(writeFrame(0xff_ff_ff_fe, new Uint8Array([9]), true))).toEqual([0x02, 255, 255, 255, 254, 9])
  })

  it('is read as a view, not a copy', () => {
    const bytes = writeFrame(7, new Uint8Array([1, 2, 3]))
    const payload = readFrame(bytes)?.payload as Uint8Array
    bytes[5] = 42
    expect(payload[0]).toBe(42)
  })

  it('is read from the middle of a larger buffer', () => {
    const around = new Uint8Array(20).fill(0xee)
    const frame = writeFrame(3, new Uint8Array([8, 9]))
    around.set(frame, 6)
    expect(plain(readFrame(around.subarray(6, 6 + frame.length))?.payload)).toEqual([8, 9])
  })

  it('owns its bytes: the payload may be used again', () => {
    const payload = new Uint8Array([1, 2, 3])
    const bytes = writeFrame(0, payload)
    payload.fill(0)
    expect(plain(readFrame(bytes)?.payload)).toEqual([1, 2, 3])
  })

  it.each([
    ['nothing', []],
    ['a torn header', [0x01, 0, 0, 0]],
    ['a part of a body', [...writeBodyPart({ part: 0, parts: 1, payload: new Uint8Array([1]) })]],
    ['a message', [...encode({ t: 'hb' })]],
    ['an unknown kind', [0x04, 0, 0, 0, 0, 1]],
  ])('is not %s', (_, bytes) => expect(readFrame(new Uint8Array(bytes))).toBeUndefined())
})

describe('a part of a body', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(u32, u32, payloads, (part, parts, payload) => {
        const bytes = writeBodyPart({ part, parts, payload })
        const read = readBodyPart(bytes)
        expect({ ...read, payload: plain(read?.payload) }).toEqual({ part, parts, payload: plain(payload) })
        expect(isFrame(bytes)).toBe(false)
      }),
    )
  })

  it.each([
    ['nothing', []],
    ['a torn header', [0x03, 0, 0, 0, 0, 0, 0, 0]],
    ['a data frame', [...writeFrame(0, new Uint8Array(20))]],
    ['a refusal', [...encode({ t: 'fail', phase: 'body' })]],
  ])('is not %s', (_, bytes) => expect(readBodyPart(new Uint8Array(bytes))).toBeUndefined())
})
