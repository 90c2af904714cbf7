import { Buffer } from 'node:buffer'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { readMediaBody } from '../media.ts'
import { readEdit, readGeneration, readReply, writeEvents, writeReply } from './image.ts'
import { writeForm } from './multipart.ts'

const bytes = Buffer.from([1, 2, 3])
const url = `data:image/webp;base64,${bytes.toString('base64')}`
const json = (fields: object) => utf8(JSON.stringify(fields))
const file = (field: string, type = 'image/png') => ({ field, name: `${field}.png`, type, bytes })

describe('an edit is the same job, whichever way it was sent', () => {
  const form = (files: ReturnType<typeof file>[]) =>
    readEdit(writeForm({ model: 'm', prompt: 'p', n: '2' }, files, 'x'), 'multipart/form-data; boundary=x')
  const fromJson = (fields: object) => readEdit(json({ model: 'm', prompt: 'p', n: 2, ...fields }), 'application/json')
  it.each([
    ['a form', () => form([file('image'), file('mask')]), ['image', 'mask']],
    ['a form with a list', () => form([file('image[]'), file('image[]')]), ['image', 'image']],
    ['one data URL', () => fromJson({ image: url }), ['image']],
    ['a list of them', () => fromJson({ images: [{ image_url: url }, url], mask: { image_url: url } }), ['image', 'image', 'mask']],
    ['a list under the other name', () => fromJson({ image: [url, url] }), ['image', 'image']],
  ])('%s', (_, read, fields) => {
    const { job } = read()
    expect(job).toMatchObject({ kind: 'image', model: 'm', need: { also: ['image_edit'] }, estimate: { images: 2 } })
    const body = readMediaBody(job.body)
    expect(body.fields).toEqual({ prompt: 'p', n: 2 })
    expect(body.files.map(({ field }) => field)).toEqual(fields)
    for (const one of body.files) expect(Buffer.from(one.bytes).equals(bytes)).toBe(true)
  })

  it('whose type nobody has told is known by its first bytes', () => {
    const typed = (type: string, ...first: number[]) =>
      readMediaBody(form([{ ...file('image', type), bytes: Buffer.from(first) }]).job.body)
    const untold = (...first: number[]) => typed('application/octet-stream', ...first).files[0]?.type
    expect(untold(0xff, 0xd8, 0xff, 0xe0, 0, 0x10)).toBe('image/jpeg')
    expect(untold(...Buffer.from('RIFF\0\0\0\0WEBP'))).toBe('image/webp')
    expect(untold(...Buffer.from('\x89PNG\r\n', 'latin1'))).toBe('image/png')
    expect(typed('image/heic', 1, 2, 3).files[0]?.type).toBe('image/heic')
  })

  it.each([
    [{ images: [{ file_id: 'file_1' }] }, 'images[0]: expected a data URL'],
    [{ image: 'https://example.org/a.png' }, 'image: expected a data URL'],
    [{ image: url, mask: 7 }, 'mask: expected a data URL'],
    [{ mask: url }, 'missing image'],
    [{ prompt: '', image: url }, 'missing prompt'],
  ])('and is refused with %j', (fields, message) => {
    expect(() => fromJson(fields)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(message) }))
  })
})

it('a generation asks for pictures, and counts them', () => {
  const { job, responseFormat, events } = readGeneration(json({ prompt: 'p', n: 3, response_format: 'url', stream: true, quality: 'high' }))
  expect(job).toMatchObject({ kind: 'image', stream: false, model: undefined, estimate: { images: 3 } })
  expect(job.need.also).toBeUndefined()
  expect([responseFormat, events]).toEqual(['url', 'image_generation'])
  expect(readGeneration(json({ prompt: 'p', stream: false })).events).toBeUndefined()
  expect(readMediaBody(job.body).fields).toEqual({ prompt: 'p', n: 3, response_format: 'url', quality: 'high' })
})

describe('an answer', () => {
  const told = {
    data: [{ b64_json: '/9j/AA==' }, { url: 'https://a.example/b.png', revised_prompt: 'q' }],
    usage: { input_tokens: 1, output_tokens: 2 },
  }
  const read = () => readReply(told) as NonNullable<ReturnType<typeof readReply>>

  it('is as the provider gives it', () => {
    expect(writeReply(read(), 7, undefined)).toEqual({ created: 7, ...told })
  })

  it('is an address where that was asked for; nothing is fetched to make bytes of one', () => {
    expect(writeReply(read(), 7, 'url')).toMatchObject({
      data: [{ url: 'data:image/jpeg;base64,/9j/AA==' }, { url: 'https://a.example/b.png' }],
    })
    expect(writeReply(read(), 7, 'b64_json')).toMatchObject({ data: [{ b64_json: '/9j/AA==' }, { url: 'https://a.example/b.png' }] })
  })

  it('is an event for each picture, where events were asked for', () => {
    const usual = { size: 'auto', quality: 'auto', background: 'auto', created_at: 7 }
    expect(writeEvents(read(), 7, undefined, 'image_edit')).toEqual([
      { type: 'image_edit.completed', b64_json: '/9j/AA==', output_format: 'jpeg', ...usual },
      { type: 'image_edit.completed', ...told.data[1], output_format: 'png', ...usual, usage: told.usage },
    ])
  })

  it('counts in whatever it counts', () => {
    expect(readReply({ ...told, created: '7', usage: { cost: 0.04 } })).toMatchObject({
      data: told.data,
      created: undefined,
      usage: undefined,
    })
  })

  it('has a picture in it', () => {
    for (const json of [{}, { data: [] }, { data: [{}] }, { data: [{ b64_json: '' }] }, null]) expect(readReply(json)).toBeUndefined()
  })
})
