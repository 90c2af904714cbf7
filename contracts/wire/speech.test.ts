import { describe, expect, it } from 'vitest'
import { utf8 } from '../bytes.ts'
import { readMediaBody } from '../media.ts'
import { readRequest } from './speech.ts'

const ask = (fields: object) => readRequest(utf8(JSON.stringify({ model: 'm', input: 'Hi', ...fields })))

it('a request is a job that streams, with the voice as a text', () => {
  const { job, events } = ask({ voice: { id: 'v' }, response_format: 'opus', speed: 1.5, stream_format: 'sse' })
  expect(job).toMatchObject({ kind: 'speech', stream: true, model: 'm', estimate: { in: 1 } })
  expect(readMediaBody(job.body).fields).toEqual({ input: 'Hi', voice: 'v', response_format: 'opus', speed: 1.5 })
  expect(events).toBe(true)
  expect(ask({}).events).toBe(false)
})

describe('a request is refused', () => {
  it.each([
    [{ input: undefined }, 'missing input'],
    [{ input: 'a'.repeat(4097) }, 'input'],
    [{ voice: 7 }, 'voice'],
    [{ voice: {} }, 'voice'],
    [{ response_format: 'midi' }, 'response_format'],
    [{ speed: 0.1 }, 'speed'],
    [{ stream_format: 'xml' }, 'stream_format'],
  ])('%#', (fields, message) => {
    expect(() => ask(fields)).toThrow(expect.objectContaining({ status: 400, message: expect.stringContaining(message) }))
  })
})
