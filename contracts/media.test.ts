import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readMediaBody, writeMediaBody } from './media.ts'

const file = fc.record({ field: fc.string(), name: fc.string(), type: fc.string(), bytes: fc.uint8Array({ maxLength: 50 }) })

it('fields and files come back as they were, line feeds in them as well', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.jsonValue(),
      ),
      fc.array(file, { maxLength: 3 }),
      (fields, files) => {
        const read = readMediaBody(writeMediaBody({ fields, files }))
        expect(read.files.map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) }))).toEqual(files)
        expect(JSON.stringify(read.fields)).toBe(JSON.stringify(fields))
      },
    ),
  )
})

it('a file with enough to spare before it stays where it is', () => {
  const spare = 200
  const buffer = new Uint8Array(spare + 10).fill(7)
  const write = (spareBytes: number) =>
    writeMediaBody({
      fields: { a: 1 },
      files: [{ field: 'file', name: 'a', type: 'audio/wav', bytes: buffer.subarray(spare), spareBytes }],
    })
  const copied = write(20)
  expect(copied.buffer).not.toBe(buffer.buffer)
  expect(buffer.subarray(0, spare).every((byte) => byte === 7)).toBe(true)
  const placed = write(spare)
  expect(placed.buffer).toBe(buffer.buffer)
  expect(Buffer.from(placed).equals(copied)).toBe(true)
  expect(readMediaBody(placed)).toMatchObject({ fields: { a: 1 }, files: [{ name: 'a', bytes: new Uint8Array(10).fill(7) }] })
})

it('a body that was cut is not taken for a whole one', () => {
  const body = writeMediaBody({ fields: {}, files: [{ field: 'file', name: 'a', type: 'audio/wav', bytes: new Uint8Array(10) }] })
  expect(() => readMediaBody(body.subarray(0, -1))).toThrow('not as long as it says')
})
