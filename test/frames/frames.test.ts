// During a roll two neighbouring versions run side by side: what services of the recorded version say is understood by those of today,
// and what those of today add is no hindrance to the recorded ones.

import { describe, expect, it } from 'vitest'
import { readBodyPart, readFrame } from '#contracts/frame.ts'
import { decode, encode } from '#contracts/message.ts'
import { binaryKinds, headOf, neverSeen, readers } from './kinds.ts'
import { recordedMessages, recordedReaders } from './recorded.ts'

const messages = recordedMessages()
const control = messages.filter(({ kind }) => !(binaryKinds as readonly string[]).includes(kind))
const old = recordedReaders()
const bytesOf = (wanted: string) => messages.find(({ kind }) => kind === wanted)?.bytes ?? new Uint8Array()

it('there is a recorded message of every kind that was read then', () => {
  const recorded = messages.map(({ kind }) => kind)
  expect([...old.keys()].filter((kind) => !recorded.includes(kind))).toEqual(neverSeen)
})

it('every kind that was said then is still read', () => {
  expect(control.map(({ kind }) => kind).filter((kind) => readers[kind] === undefined)).toEqual([])
})

describe.each(control)('$kind', ({ kind, bytes }) => {
  const said = JSON.parse(headOf(bytes)) as Record<string, unknown>
  const reader = readers[kind]
  const recorded = old.get(kind)
  if (!reader || !recorded) throw new Error(`nothing reads ${kind}`)

  it('is read as it was said', () => {
    const read = decode(reader, bytes)
    expect(read?.message).toMatchObject(said)
    // What follows the head is the client's own text.
    expect(read?.body?.length ?? 0).toBe(Math.max(0, bytes.length - headOf(bytes).length - 1))
  })

  it('is read with more in it than today is known, then and now', () => {
    const later = { ...said, said_since: { fw: 2 } }
    expect(decode(reader, encode(later))?.message).toMatchObject(said)
    expect(recorded.safeParse(later).error).toBeUndefined()
  })

  it('was not read with less in it than was needed then', () => {
    const needed = Object.keys(said).filter((field) => {
      const { [field]: _, ...rest } = said
      return !recorded.safeParse(rest).success
    })
    // The kind itself at least, so this reader can tell.
    expect(needed.length).toBeGreaterThan(0)
  })
})

it('frames of an answer keep their number and their bytes', () => {
  const frame = readFrame(bytesOf('frame'))
  expect(frame).toMatchObject({ seq: expect.any(Number), continues: false })
  expect(new TextDecoder().decode(frame?.payload)).toMatch(/^data: |^\{/)
})

it('parts of a body keep their place and their bytes', () => {
  const part = readBodyPart(bytesOf('body-part'))
  expect(part?.parts).toBeGreaterThan(0)
  expect(part?.part).toBeLessThan(part?.parts ?? 0)
  expect(new TextDecoder().decode(part?.payload)).toContain('xxxx')
})
