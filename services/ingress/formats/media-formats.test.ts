// Whatever is sent, it is a job or refused for a reason.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { writeForm } from '#contracts/wire/multipart.ts'
import { chatPhp } from './chat-php.ts'
import { completions } from './completions.ts'
import { embeddings } from './embeddings.ts'
import type { Format } from './format.ts'
import { imageEdits, imageGenerations } from './images.ts'
import { speech } from './speech.ts'
import { transcription } from './transcription.ts'

const formats: [string, Format, object][] = [
  ['embeddings', embeddings, { input: 'a' }],
  ['completions', completions, { prompt: 'a' }],
  ['speech', speech, { input: 'a' }],
  ['image generations', imageGenerations, { prompt: 'a' }],
  ['image edits', imageEdits, { prompt: 'a', image: 'data:image/png;base64,AA==' }],
  ['chat.php', chatPhp(() => ({ providers: [], aliases: [] })), { messages: [{ role: 'user', content: 'a' }] }],
]
const fields =
  'model input prompt messages voice image images mask n size response_format stream temperature max_tokens dimensions encoding_format logprobs echo suffix speed fallback strategy model_id'.split(
    ' ',
  )
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), tie('list'), tie('object')),
  list: fc.array(tie('value'), { maxLength: 3 }),
  object: fc.dictionary(fc.constantFrom('type', 'role', 'content', 'id', 'url', 'image_url', 'file_id', '__proto__'), tie('value')),
}))

async function outcome(format: Format, body: Uint8Array, contentType: string): Promise<'job' | 'refused'> {
  try {
    const { job } = await format.readRequest(body, { headers: new Headers({ 'content-type': contentType }), id: 'r' })
    expect(job.body.length).toBeGreaterThan(0)
    return 'job'
  } catch (error) {
    expect(error).toBeInstanceOf(FreewayError)
    expect((error as FreewayError).status).toBe(400)
    return 'refused'
  }
}

describe('any body is a job or refused for a reason', () => {
  it.each(formats)('%s', async (_, format, good) => {
    let jobs = 0
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 3 }), fc.boolean(), async (more, keep) => {
        const body = JSON.stringify(keep ? { ...more, ...good } : { ...good, ...more })
        if ((await outcome(format, utf8(body), 'application/json')) === 'job') jobs++
      }),
      { numRuns: 300 },
    )
    expect(jobs).toBeGreaterThan(10)
    for (const body of ['', '[]', '7', '{', '\u0000', '{"a":'.repeat(100)])
      expect(await outcome(format, utf8(body), 'application/json')).toBe('refused')
  })

  it('transcription', async () => {
    let jobs = 0
    const names = 'model language prompt temperature response_format timestamp_granularities[] stream fallback include[] __proto__'.split(
      ' ',
    )
    const words = fc.oneof(fc.constantFrom('', 'en', 'srt', 'json', '0.5', 'word', 'true', 'whisper-1'), fc.string())
    const files = fc.array(
      fc.record({
        field: fc.constantFrom('file', 'file', 'image'),
        name: fc.constantFrom('a.mp3', 'a.txt', ''),
        type: fc.constant('audio/mpeg'),
        bytes: fc.uint8Array({ maxLength: 20 }),
      }),
      { minLength: 1, maxLength: 2 },
    )
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), words, { maxKeys: 3 }), files, async (form, files) => {
        if ((await outcome(transcription, writeForm(form, files, 'x'), 'multipart/form-data; boundary=x')) === 'job') jobs++
      }),
      { numRuns: 300 },
    )
    expect(jobs).toBeGreaterThan(10)
  })
})
