import { describe, expect, it } from 'vitest'
import { jobMessage } from '#contracts/attempt.ts'
import { utf8 } from '#contracts/bytes.ts'
import { decode } from '#contracts/message.ts'
import { readRequest } from '#contracts/wire/chat-completions/request.ts'
import { newSearch } from './search.ts'
import type { Submission } from './submission.ts'
import { writeSubmission } from './submission.ts'

const text = JSON.stringify({
  model: 'auto',
  messages: [{ role: 'user', content: 'line\nfeed' }],
  stream: true,
  stream_options: { include_usage: true },
})
const job = readRequest(utf8(text))
const submission = (change: Partial<Submission> = {}): Submission => ({
  id: 'r1',
  n: 2,
  ttlMs: 59_990.5,
  maxWaitMs: 0,
  job,
  admitted: { account: undefined, roles: undefined },
  search: { ...newSearch(job.need), exclude: ['groq'], avoid: ['mistral', 'mistral'] },
  blob: undefined,
  trace: undefined,
  ...change,
})

describe('a job is submitted', () => {
  it('as routers read it, with what was learned, and the client’s text untouched behind it', () => {
    const read = decode(jobMessage, writeSubmission(submission({ trace: { traceparent: '00-a-b-01' } })).encoded())
    expect(read?.message).toMatchObject({
      t: 'submit',
      id: 'r1',
      n: 2,
      ttl_ms: 59_990.5,
      stream: true,
      include_usage: true,
      model: 'auto',
      fallback: true,
      need: job.need,
      est: job.estimate,
      exclude: ['groq'],
      avoid: ['mistral', 'mistral'],
      trace: { traceparent: '00-a-b-01' },
    })
    expect(new TextDecoder().decode(read?.body)).toBe(text)
  })

  it('with its wishes', () => {
    const wishes = utf8(
      JSON.stringify({ messages: [{ role: 'user', content: 'x' }], strategy: 'fast', preferred_provider: 'groq', fallback: false }),
    )
    const read = decode(jobMessage, writeSubmission(submission({ job: readRequest(wishes) })).encoded())
    expect(read?.message).toMatchObject({ strategy: 'fast', preferred: 'groq', fallback: false, stream: false })
    expect(read?.message).not.toHaveProperty('model')
    expect(read?.message).not.toHaveProperty('max_wait_ms')
    expect(decode(jobMessage, writeSubmission(submission({ maxWaitMs: 1_500 })).encoded())?.message).toMatchObject({ max_wait_ms: 1_500 })
  })

  it('to the model that wants it changed', () => {
    const search = { ...newSearch(job.need), adapted: { model: 'groq/m', adapt: { drop: ['seed'] } } }
    expect(decode(jobMessage, writeSubmission(submission({ search })).encoded())?.message).toMatchObject({
      model: 'groq/m',
      adapt: { drop: ['seed'] },
    })
  })

  it('without its body if that is large: only with what is needed to fetch it', () => {
    const blob = { size: 600_000, sha256: 'a'.repeat(64), parts: 2, part_size: 524_288 }
    const read = decode(jobMessage, writeSubmission(submission({ blob })).encoded())
    expect(read?.message).toMatchObject({ blob })
    expect(read?.body).toBeUndefined()
  })
})
