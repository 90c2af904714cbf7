import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { FreewayError } from '../failure.ts'
import { readForm, writeForm } from './multipart.ts'

const type = (boundary: string) => `multipart/form-data; boundary=${boundary}`

async function asFetchSendsIt(form: FormData): Promise<[Uint8Array, string]> {
  const request = new Request('http://a/', { method: 'POST', body: form })
  return [new Uint8Array(await request.arrayBuffer()), request.headers.get('content-type') ?? '']
}

describe('a form', () => {
  it('is read as the runtime writes it, files first or last', async () => {
    const form = new FormData()
    form.append('file', new File([new Uint8Array([13, 10, 45, 45, 0, 255])], 'a "b" ü.mp3', { type: 'audio/mpeg' }))
    form.append('model', 'whisper-1')
    form.append('timestamp_granularities[]', 'word')
    form.append('timestamp_granularities[]', 'segment')
    form.append('prompt', 'Grüße\r\nan alle')
    const { fields, files } = readForm(...(await asFetchSendsIt(form)))
    expect({ fields, files: files.map((one) => ({ ...one, bytes: [...one.bytes] })) }).toEqual({
      fields: [
        ['model', 'whisper-1'],
        ['timestamp_granularities[]', 'word'],
        ['timestamp_granularities[]', 'segment'],
        ['prompt', 'Grüße\r\nan alle'],
      ],
      files: [{ field: 'file', name: 'a "b" ü.mp3', type: 'audio/mpeg', bytes: [13, 10, 45, 45, 0, 255] }],
    })
  })

  it('comes back from what was written, whatever is in it', () => {
    const name = fc.string({ minLength: 1, maxLength: 20 }).filter((text) => /^[^\\%]+$/.test(text) && !/\p{Cc}/u.test(text))
    const file = fc.record({ field: name, name, type: fc.constant('audio/wav'), bytes: fc.uint8Array({ maxLength: 200 }) })
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ unit: 'binary' })), fc.array(file, { maxLength: 3 }), (fields, files) => {
        const read = readForm(writeForm(fields, files, 'b0undary'), type('b0undary'))
        expect(Object.fromEntries(read.fields)).toEqual(Object.fromEntries(Object.entries(fields)))
        expect(read.files.map((one) => ({ ...one, bytes: new Uint8Array(one.bytes) }))).toEqual(files)
      }),
    )
  })

  it('may be empty', () => {
    expect(readForm(utf8('--x--\r\n'), type('x'))).toEqual({ fields: [], files: [] })
  })

  it('may have text before its first boundary and after its last', () => {
    const body = 'ignored\r\n--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\nignored'
    expect(readForm(utf8(body), 'multipart/form-data; charset=utf-8; boundary="x"').fields).toEqual([['a', '1']])
  })

  it('does not copy its files', () => {
    const bytes = new Uint8Array(1000)
    const body = writeForm({}, [{ field: 'file', name: 'a', type: 'audio/wav', bytes }], 'x')
    expect(readForm(body, type('x')).files[0]?.bytes.buffer).toBe(body.buffer)
  })
})

describe('a broken form is refused for a reason', () => {
  const part = (headers: string, value = '1') => `--x\r\n${headers}\r\n\r\n${value}\r\n`
  const named = 'Content-Disposition: form-data; name="a"'
  it.each([
    ['no form at all', 'application/json', '{}', 'multipart/form-data with a boundary'],
    ['without a boundary', 'multipart/form-data', '', 'multipart/form-data with a boundary'],
    ['with another boundary', type('x'), '--y--', 'boundary does not occur'],
    ['cut in a file', type('x'), `--x\r\n${named}; filename="f"\r\n\r\nabc`, 'without its end'],
    ['cut after a boundary', type('x'), '--x', 'without the end of its line'],
    ['a part without a name', type('x'), `${part('Content-Disposition: form-data')}--x--`, 'without a name'],
    ['a part without headers', type('x'), '--x\r\n\r\n--x--', 'without headers'],
    ['encoded', type('x'), `${part(`${named}\r\nContent-Transfer-Encoding: base64`)}--x--`, 'not encoded'],
    ['too many parts', type('x'), `${part(named).repeat(129)}--x--`, 'more than 128 parts'],
    ['a field of 2 MB', type('x'), `${part(named, 'a'.repeat(2e6))}--x--`, 'too long'],
  ])('%s', (_, contentType, body, message) => {
    expect(() => readForm(utf8(body), contentType)).toThrow(
      expect.objectContaining({ status: 400, message: expect.stringContaining(message) }),
    )
  })

  it('and never by another error', () => {
    const piece = fc.constantFrom(
      '--x',
      '--x--',
      '\r\n',
      '\r\n\r\n',
      'Content-Disposition: form-data; name="a"',
      '; filename="f"',
      'a',
      '"',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        try {
          readForm(utf8(pieces.join('')), type('x'))
        } catch (error) {
          expect(error).toBeInstanceOf(FreewayError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
