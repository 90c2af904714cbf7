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

it('a body that was cut is not taken for a whole one', () => {
  const body = writeMediaBody({ fields: {}, files: [{ field: 'file', name: 'a', type: 'audio/wav', bytes: new Uint8Array(10) }] })
  expect(() => readMediaBody(body.subarray(0, -1))).toThrow('not as long as it says')
})
