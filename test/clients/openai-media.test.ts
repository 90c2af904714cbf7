// The official OpenAI client on every route that is no chat.

import { Buffer } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import OpenAI, { toFile } from 'openai'
import { beforeAll, describe, expect, it } from 'vitest'
import { keyHash } from '#test/support/gateway.ts'
import { setUpGateway } from '#test/support/setup.ts'
import { until } from '#test/support/until.ts'

const KEY = 'fw-media-key-9aZ'
/** Of a client that may have one request open. */
const NARROW_KEY = 'fw-media-narrow-key-9aZ'
const setup = setUpGateway({
  config(upstream) {
    const provider = (models: object[], more: object = {}) => ({ base_url: `${upstream.url}/v1`, api_key: 'sk-alpha', models, ...more })
    return {
      clients: [
        { name: 'sdk', key_hash: keyHash(KEY) },
        { name: 'narrow', key_hash: keyHash(NARROW_KEY), max_concurrency: 1 },
      ],
      providers: {
        alpha: provider(
          [
            { id: 'm-chat', capabilities: ['chat'] },
            { id: 'm-embed', canonical: 'embed', capabilities: ['embeddings'] },
            { id: 'm-voice', canonical: 'voice', capabilities: ['tts'], voices: ['nova'] },
            { id: 'm-scribe', canonical: 'scribe', capabilities: ['stt'] },
            { id: 'm-paint', capabilities: ['image_gen'] },
            { id: 'm-retouch', capabilities: ['image_gen', 'image_edit'] },
          ],
          { weight: 2 },
        ),
        beta: provider([
          { id: 'b-voice', canonical: 'voice', capabilities: ['tts'] },
          { id: 'b-scribe', canonical: 'scribe', capabilities: ['stt'] },
          { id: 'b-other', capabilities: ['embeddings'] },
        ]),
        // Both fail in the end, and rest after it.
        gamma: provider([{ id: 'c-embed', canonical: 'twice', capabilities: ['embeddings'] }], { weight: 2 }),
        delta: provider([{ id: 'd-embed', canonical: 'twice', capabilities: ['embeddings'] }]),
      },
    }
  },
})
let client: OpenAI

beforeAll(() => {
  client = new OpenAI({ baseURL: `${setup.gateway.url}/v1`, apiKey: KEY, maxRetries: 0 })
})

/** A tone of that many bytes, at 48 kB a second. */
function wav(bytes: number): Buffer {
  const file = Buffer.alloc(44 + bytes)
  file.write('RIFF', 0, 'latin1')
  file.writeUInt32LE(36 + bytes, 4)
  file.write('WAVEfmt ', 8, 'latin1')
  file.writeUInt32LE(16, 16)
  file.writeUInt16LE(1, 20)
  file.writeUInt16LE(1, 22)
  file.writeUInt32LE(24_000, 24)
  file.writeUInt32LE(48_000, 28)
  file.writeUInt16LE(2, 32)
  file.writeUInt16LE(16, 34)
  file.write('data', 36, 'latin1')
  file.writeUInt32LE(bytes, 40)
  return file
}
const upload = (bytes = 96_000) => toFile(wav(bytes), 'hello.wav', { type: 'audio/wav' })
const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==', 'base64')

const raw = (path: string, body: BodyInit | object, headers: Record<string, string> = {}) =>
  fetch(setup.gateway.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${KEY}`, ...(isPlain(body) && { 'content-type': 'application/json' }), ...headers },
    body: isPlain(body) ? JSON.stringify(body) : (body as BodyInit),
  })
const isPlain = (body: unknown) => Object.getPrototypeOf(body) === Object.prototype
const errorOf = async (response: Response) => ((await response.json()) as { error: Record<string, unknown> }).error

describe('embeddings', () => {
  it('come as numbers, whichever way the client wants them on the wire', async () => {
    const asked = { model: 'm-embed', input: ['alpha beta', 'gamma'], dimensions: 16 }
    const packed = await client.embeddings.create(asked)
    const plain = await client.embeddings.create({ ...asked, encoding_format: 'float' })
    expect(packed.data.map(({ index, embedding }) => [index, embedding.length])).toEqual([
      [0, 16],
      [1, 16],
    ])
    for (const [i, { embedding }] of plain.data.entries()) {
      for (const [at, value] of embedding.entries()) expect(packed.data[i]?.embedding[at]).toBeCloseTo(value, 6)
    }
    expect(plain).toMatchObject({ object: 'list', model: 'm-embed', usage: { prompt_tokens: 5, total_tokens: 5 } })
  })

  it('are taken of tokens as well', async () => {
    const { data } = await client.embeddings.create({ model: 'm-embed', input: [[1, 2], [3]] })
    expect(data).toHaveLength(2)
    expect(setup.upstream.calls[0]?.body).toEqual({ model: 'm-embed', input: [[1, 2], [3]] })
  })

  it('of another length than was asked for are refused, and stand so in the log of requests', async () => {
    const id = 'vectors-of-another-length'
    setup.upstream.setFault({ model: 'm-embed' }, { status: 200, body: { data: [{ index: 0, embedding: [1, 2] }] } }, 1)
    const response = await raw('/v1/embeddings', { model: 'm-embed', input: 'a', dimensions: 16 }, { 'x-request-id': id })
    expect([response.status, (await errorOf(response)).param]).toEqual([400, 'dimensions'])
    const token = (await readFile(join(setup.gateway.dir, 'data/admin-token'), 'utf8')).trim()
    await until('it is in the log', async () => {
      const log = await fetch(`${setup.gateway.url}/api/requests?limit=5`, { headers: { 'x-admin-token': token } })
      return /"client_error"/.test(await log.text())
    })
  })

  it('fail over only to the same model', async () => {
    setup.upstream.setFault({ model: 'c-embed' }, { status: 500 })
    setup.upstream.setFault({ model: 'd-embed' }, { status: 500 }, 1)
    await expect(client.embeddings.create({ model: 'twice', input: 'hello' })).rejects.toThrow(OpenAI.APIError)
    expect(setup.upstream.calls.map(({ model }) => model)).toEqual(['c-embed', 'd-embed'])
    const { data } = await client.embeddings.create({ model: 'twice', input: 'hello' })
    expect(data).toHaveLength(1)
    expect(setup.upstream.calls.at(-1)?.model).toBe('d-embed')
  })

  it('are all of one model where the choice is ours', async () => {
    const { model } = await client.embeddings.create({ model: 'auto', input: 'hello' })
    expect(['c-embed', 'd-embed']).toContain(model)
  })

  it.each([
    [{ model: 'm-embed' }, 'missing input'],
    [{ model: 'm-embed', input: [] }, 'input'],
    [{ model: 'm-embed', input: 'a', dimensions: 0 }, 'dimensions'],
    [{ model: 'm-chat', input: 'a' }, 'unsupported media operation'],
    [{ model: 'nobody', input: 'a' }, 'unknown aliased model'],
  ])('refuse %j', async (body, message) => {
    const response = await raw('/v1/embeddings', body)
    expect(response.status).toBe(400)
    expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error', message: expect.stringContaining(message) })
  })
})

describe('completions', () => {
  it('come whole', async () => {
    const reply = await client.completions.create({ model: 'm-chat', prompt: 'say: alpha beta', echo: true, max_tokens: 500 })
    expect(reply).toMatchObject({
      object: 'text_completion',
      model: 'm-chat',
      choices: [{ index: 0, finish_reason: 'stop', logprobs: null }],
    })
    expect(reply.id).toMatch(/^cmpl-/)
    expect(reply.choices[0]?.text.startsWith('say: alpha beta')).toBe(true)
    expect(reply.usage?.total_tokens).toBeGreaterThan(0)
  })

  it('come as a stream that says the same', async () => {
    const asked = { model: 'm-chat', prompt: ['say: alpha beta'], max_tokens: 500 }
    const whole = await client.completions.create(asked)
    let text = ''
    let end: string | null = null
    let tokens = 0
    for await (const event of await client.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } })) {
      expect(event.object).toBe('text_completion')
      text += event.choices[0]?.text ?? ''
      end = event.choices[0]?.finish_reason ?? end
      tokens = event.usage?.total_tokens ?? tokens
    }
    expect({ text, end }).toEqual({ text: whole.choices[0]?.text, end: 'stop' })
    expect(tokens).toBeGreaterThan(0)
  })

  const prompts = ['Say exactly: a b', 'Say exactly: c d', 'Say exactly: e f', 'Say exactly: g h', 'Say exactly: i j']

  it('come for several prompts, each as often as asked, in their order', async () => {
    const reply = await client.completions.create({ model: 'm-chat', prompt: prompts, n: 2 })
    expect(reply.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(reply.choices.map(({ text }) => text)).toEqual(['a b', 'a b', 'c d', 'c d', 'e f', 'e f', 'g h', 'g h', 'i j', 'i j'])
    expect(setup.upstream.calls).toHaveLength(5)
    const { usage } = await client.completions.create({ model: 'm-chat', prompt: prompts[0] ?? '', n: 2 })
    expect(reply.usage).toMatchObject({ prompt_tokens: 5 * (usage?.prompt_tokens ?? 0), total_tokens: 5 * (usage?.total_tokens ?? 0) })
  })

  it('come for many prompts without a warning of the runtime', async () => {
    const reply = await client.completions.create({ model: 'm-chat', prompt: Array(12).fill(prompts[0]) })
    expect(reply.choices).toHaveLength(12)
    expect(setup.gateway.stderr).not.toContain('MaxListenersExceededWarning')
  })

  it('come for several prompts as one stream', async () => {
    const asked = { model: 'm-chat', prompt: prompts, n: 2, stream: true, stream_options: { include_usage: true } } as const
    const texts: string[] = []
    const ends: (string | null)[] = []
    const heads = new Set<string>()
    const usages: unknown[] = []
    for await (const { id, created, model, choices, usage } of await client.completions.create(asked)) {
      heads.add(JSON.stringify([id, created, model]))
      if (usage) usages.push(usage)
      for (const { index, text, finish_reason } of choices) {
        texts[index] = (texts[index] ?? '') + text
        ends[index] = finish_reason ?? ends[index] ?? null
      }
    }
    expect(texts).toEqual(['a b', 'a b', 'c d', 'c d', 'e f', 'e f', 'g h', 'g h', 'i j', 'i j'])
    expect(ends).toEqual(Array(10).fill('stop'))
    expect(heads.size).toBe(1)
    expect(usages).toEqual([expect.objectContaining({ total_tokens: expect.any(Number) })])
  })

  it('come one prompt after the other for a client that may have one request open', async () => {
    const narrow = new OpenAI({ baseURL: `${setup.gateway.url}/v1`, apiKey: NARROW_KEY, maxRetries: 0 })
    const reply = await narrow.completions.create({ model: 'm-chat', prompt: prompts })
    expect(reply.choices.map(({ text }) => text)).toEqual(['a b', 'c d', 'e f', 'g h', 'i j'])
  })

  it('that fail for one prompt fail for all', async () => {
    setup.upstream.setFault({ model: 'm-chat' }, { status: 400, body: { error: { message: 'no' } } }, 1)
    await expect(client.completions.create({ model: 'm-chat', prompt: prompts })).rejects.toMatchObject({ status: 400 })
  })

  it('that break off for one prompt end with the error, and call the others off', async () => {
    setup.upstream.setFault({ model: 'm-chat' }, { chunks: 3, tps: 20, end: 2 }, 1)
    setup.upstream.setFault({}, { endless: true, tps: 50 })
    const read = async () => {
      for await (const _ of await client.completions.create({ model: 'm-chat', prompt: prompts.slice(0, 3), stream: true }));
    }
    await expect(read()).rejects.toMatchObject({ type: 'provider_error' })
    await Promise.all(setup.upstream.calls.map(({ id }) => setup.upstream.waitFor((call) => call.id === id && call.closedAt !== undefined)))
  })

  it.each([
    [{ model: 'm-chat' }, 'missing prompt'],
    [{ model: 'm-chat', prompt: '' }, 'missing prompt'],
    [{ model: 'm-chat', prompt: ['a', ''] }, 'missing prompt'],
    [{ model: 'm-chat', prompt: [1, 2] }, 'not tokens'],
    [{ model: 'm-chat', prompt: [[1, 2], [3]] }, 'not tokens'],
    [{ model: 'm-chat', prompt: ['a', 'b'], n: 0 }, 'n:'],
  ])('refuse %j', async (body, message) => {
    const response = await raw('/v1/completions', body)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).message).toContain(message)
  })
})

describe('pictures', () => {
  it('are made, as bytes or with an address', async () => {
    const bytes = await client.images.generate({ model: 'm-paint', prompt: 'a red car', n: 2, size: '256x256' })
    expect(bytes.data).toHaveLength(2)
    expect(
      Buffer.from(bytes.data?.[0]?.b64_json ?? '', 'base64')
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG')
    const address = await client.images.generate({ model: 'm-paint', prompt: 'a red car', response_format: 'url' })
    expect(address.data?.[0]?.url).toMatch(/^http/)
    expect(address.data?.[0]).not.toHaveProperty('b64_json')
  })

  it('are told as events to who asks for a stream', async () => {
    const made = await client.images.generate({ model: 'm-paint', prompt: 'a red car', n: 2, stream: true })
    const events = await Array.fromAsync(made)
    expect(events.map(({ type }) => type)).toEqual(['image_generation.completed', 'image_generation.completed'])
    expect(events[1]).toMatchObject({ b64_json: expect.stringMatching(/^iVBOR/), usage: { output_tokens: 200 } })
    const image = await toFile(PNG, 'a.png', { type: 'image/png' })
    const changed = await client.images.edit({ model: 'm-retouch', prompt: 'cleaner', image, stream: true })
    expect((await Array.fromAsync(changed)).map(({ type }) => type)).toEqual(['image_edit.completed'])
  })

  it('are changed, from one or several, with a mask', async () => {
    const image = () => toFile(PNG, 'a.png', { type: 'image/png' })
    const one = await client.images.edit({ model: 'm-retouch', prompt: 'cleaner', image: await image(), mask: await image() })
    expect(one.data?.[0]?.b64_json).toBeTruthy()
    await client.images.edit({ model: 'm-retouch', prompt: 'cleaner', image: [await image(), await image()] })
    const file = { name: expect.any(String), type: 'image/png', size: PNG.length }
    expect(setup.upstream.calls.map(({ body }) => body)).toEqual([
      { model: 'm-retouch', prompt: 'cleaner', image: [file], mask: [file] },
      { model: 'm-retouch', prompt: 'cleaner', image: [file, file] },
    ])
  })

  it.each([
    ['one data URL', { image: `data:image/png;base64,${PNG.toString('base64')}` }],
    ['a list', { images: [{ image_url: `data:image/png;base64,${PNG.toString('base64')}` }] }],
  ])('are changed from JSON with %s', async (_, picture) => {
    const response = await raw('/v1/images/edits', { model: 'm-retouch', prompt: 'cleaner', ...picture })
    expect(response.status).toBe(200)
    expect(setup.upstream.calls[0]?.body).toMatchObject({ image: [{ type: 'image/png', size: PNG.length }] })
  })

  it.each([
    ['/v1/images/generations', { model: 'm-paint' }, 'missing prompt'],
    ['/v1/images/generations', { model: 'm-chat', prompt: 'a' }, 'unsupported media operation'],
    ['/v1/images/generations', { model: 'm-paint', prompt: 'a', n: 11 }, 'n: '],
    ['/v1/images/edits', { model: 'm-retouch', prompt: 'a' }, 'missing image'],
    ['/v1/images/edits', { model: 'm-retouch', prompt: 'a', image: 'http://127.0.0.1:1/a.png' }, 'expected a data URL'],
    ['/v1/images/edits', { model: 'm-paint', prompt: 'a', image: 'data:image/png;base64,aGk=' }, 'unsupported media operation'],
  ])('%s refuse %j', async (path, body, message) => {
    const response = await raw(path, body)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).message).toContain(message)
    expect(setup.upstream.calls).toHaveLength(0)
  })
})

describe('speech', () => {
  it('comes as sound of the right type, in a voice that is known there', async () => {
    const response = await client.audio.speech.create({
      model: 'm-voice',
      input: 'Hello there, world',
      voice: 'alloy',
      response_format: 'wav',
    })
    expect(response.headers.get('content-type')).toBe('audio/wav')
    expect(Buffer.from(await response.arrayBuffer()).toString('latin1', 0, 4)).toBe('RIFF')
    expect(setup.upstream.calls[0]?.body).toMatchObject({ voice: 'nova', response_format: 'wav' })
  })

  it('comes as events that hold the same', async () => {
    const asked = { model: 'm-voice', input: 'Hello there, world', voice: 'nova', response_format: 'wav' } as const
    const sound = Buffer.from(await (await client.audio.speech.create(asked)).arrayBuffer())
    const response = await client.audio.speech.create({ ...asked, stream_format: 'sse' })
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const events = (await response.text())
      .split('\n\n')
      .filter(Boolean)
      .map((event) => JSON.parse(event.replace(/^data: /, '')) as { type: string; audio?: string; usage?: { total_tokens: number } })
    const last = events.pop()
    expect(last).toMatchObject({ type: 'speech.audio.done', usage: { input_tokens: 5 } })
    expect(events.every(({ type }) => type === 'speech.audio.delta')).toBe(true)
    expect(Buffer.concat(events.map(({ audio }) => Buffer.from(audio ?? '', 'base64'))).equals(sound)).toBe(true)
  })

  it('is said by another if one fails before its first sound', async () => {
    setup.upstream.setFault({ model: 'm-voice' }, { status: 500 }, 1)
    const response = await client.audio.speech.create({ model: 'voice', input: 'Hello', voice: 'nova' })
    expect(response.headers.get('x-freeway-provider')).toBe('beta')
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100)
  })

  it.each([
    [{ model: 'm-voice', voice: 'nova' }, 'missing input'],
    [{ model: 'm-voice', voice: 'nova', input: 'a'.repeat(4097) }, 'input'],
    [{ model: 'm-voice', voice: 'nova', input: 'a', speed: 9 }, 'speed'],
    [{ model: 'm-chat', voice: 'nova', input: 'a' }, 'unsupported media operation'],
  ])('refuses %#', async (body, message) => {
    const response = await raw('/v1/audio/speech', body)
    expect(response.status).toBe(400)
    expect((await errorOf(response)).message).toContain(message)
  })

  it('that breaks off is no whole sound', async () => {
    setup.upstream.setFault({ model: 'm-voice' }, { cut: 2 }, 1)
    const response = await client.audio.speech.create({ model: 'm-voice', input: 'Hello there, world', voice: 'nova' })
    await expect(response.arrayBuffer()).rejects.toThrow()
  })

  it('that nobody listens to any more is called off at the provider', async () => {
    setup.upstream.setFault({ model: 'm-voice' }, { stall: 'head' })
    const leaving = new AbortController()
    const asked = client.audio.speech.create({ model: 'm-voice', input: 'Hello', voice: 'nova' }, { signal: leaving.signal })
    await setup.upstream.waitFor(({ model }) => model === 'm-voice')
    leaving.abort()
    await expect(asked).rejects.toThrow()
    const call = await setup.upstream.waitFor(({ closedBy }) => closedBy === 'peer')
    expect(call.completed).toBe(false)
  })
})

describe('transcriptions', () => {
  it('tell who has listened, as the how-manieth, and how long it took', async () => {
    const reply = await client.audio.transcriptions.create({ model: 'whisper-1', file: await upload(), language: 'en' })
    expect(reply).toMatchObject({
      text: expect.stringContaining('demo transcription'),
      provider: 'alpha',
      model: 'm-scribe',
      fallback_position: 1,
    })
    expect((reply as unknown as { latency_ms: number }).latency_ms).toBeGreaterThanOrEqual(0)
    expect(setup.upstream.calls[0]?.body).toMatchObject({ model: 'm-scribe', language: 'en', file: [{ type: 'audio/wav', size: 96_044 }] })
  })

  it('are written by the next, large files too, if the first fails', async () => {
    setup.upstream.setFault({ model: 'm-scribe' }, { status: 500 }, 1)
    const reply = await client.audio.transcriptions.create({ model: 'scribe', file: await upload(5e6) })
    expect(reply).toMatchObject({ provider: 'beta', model: 'b-scribe', fallback_position: 2 })
    expect(setup.upstream.calls.map(({ body }) => (body as { file: { size: number }[] }).file[0]?.size)).toEqual([5_000_044, 5_000_044])
  })

  it('come in all shapes', async () => {
    const ask = async (response_format: 'text' | 'srt' | 'vtt') =>
      client.audio.transcriptions.create({ model: 'm-scribe', file: await upload(), response_format }) as Promise<unknown>
    expect(await ask('text')).toMatch(/^This is .*\.\n$/)
    expect(await ask('srt')).toMatch(/^1\n00:00:00,000 --> 00:00:02,000\nThis is .*\.\n\n$/)
    expect(await ask('vtt')).toMatch(/^WEBVTT\n\n00:00\.000 --> 00:02\.000\nThis is .*\.\n\n$/)
    const verbose = await client.audio.transcriptions.create({
      model: 'm-scribe',
      file: await upload(),
      response_format: 'verbose_json',
      timestamp_granularities: ['word'],
    })
    expect(verbose).toMatchObject({ task: 'transcribe', duration: 2, segments: [{ id: 0, start: 0, end: 2 }], provider: 'alpha' })
    expect(verbose.words?.length).toBeGreaterThan(3)
  })

  it('come as events', async () => {
    let text = ''
    let done: string | undefined
    for await (const event of await client.audio.transcriptions.create({ model: 'm-scribe', file: await upload(), stream: true })) {
      if (event.type === 'transcript.text.delta') text += event.delta
      if (event.type === 'transcript.text.done') done = event.text
    }
    expect(done).toBe(text)
    expect(text).toContain('demo transcription')
  })

  const form = (fields: Record<string, string | File>) => {
    const data = new FormData()
    for (const [name, value] of Object.entries(fields)) data.append(name, value)
    return data
  }
  it.each<[string, () => Promise<BodyInit | object>, number, string]>([
    ['no file', async () => form({ model: 'whisper-1' }), 400, 'missing file'],
    ['no form', async () => ({ model: 'whisper-1' }), 400, 'multipart/form-data'],
    ['no sound', async () => form({ file: new File(['hello'], 'a.txt') }), 400, 'expected mp3'],
    ['a shape that is none', async () => form({ file: await upload(), response_format: 'pdf' }), 400, 'response_format'],
    ['a model that is deaf', async () => form({ file: await upload(), model: 'm-chat' }), 400, 'unsupported media operation'],
    ['a body that is larger than any file may be', async () => form({ file: await upload(30e6) }), 413, '25 MB'],
    ['more than 25 MB', async () => form({ file: await upload(26.3e6) }), 413, '25 MB'],
  ])('refuse %s', async (_, body, status, message) => {
    const response = await raw('/v1/audio/transcriptions', await body())
    expect(response.status).toBe(status)
    expect((await errorOf(response)).message).toContain(message)
    expect(setup.upstream.calls).toHaveLength(0)
  })
})

describe('any body is answered, and with no fault of ours', () => {
  const paths = [
    '/v1/embeddings',
    '/v1/completions',
    '/v1/images/generations',
    '/v1/images/edits',
    '/v1/audio/speech',
    '/v1/audio/transcriptions',
    '/api/chat.php',
  ]
  const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.array(fc.string(), { maxLength: 2 }))
  const name = fc.constantFrom(
    'model',
    'input',
    'prompt',
    'messages',
    'image',
    'voice',
    'n',
    'size',
    'stream',
    'max_tokens',
    'dimensions',
    'response_format',
  )
  const good = {
    input: 'a',
    prompt: 'a',
    image: `data:image/png;base64,${PNG.toString('base64')}`,
    messages: [{ role: 'user', content: 'a' }],
  }
  it.each(paths)('%s', async (path) => {
    const statuses = new Set<number>()
    const ask = async (body: string, type: string) => {
      const response = await fetch(setup.gateway.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEY}`, 'content-type': type },
        body,
      })
      await response.arrayBuffer()
      statuses.add(response.status)
      expect([200, 400, 403, 404, 413, 429]).toContain(response.status)
    }
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value, { maxKeys: 3 }), (fields) =>
        ask(JSON.stringify({ ...good, ...fields }), 'application/json'),
      ),
      { numRuns: 25 },
    )
    for (const body of ['', '{', '[]', 'null', '\u0000', '--x\r\n'])
      for (const type of ['application/json', 'multipart/form-data; boundary=x', 'text/plain']) await ask(body, type)
    expect(statuses).toContain(400)
  })
})

it('a video is not known by any id', async () => {
  const response = await fetch(`${setup.gateway.url}/v1/videos/v_1`, { headers: { authorization: `Bearer ${KEY}` } })
  expect(response.status).toBe(404)
  expect(await errorOf(response)).toMatchObject({ type: 'invalid_request_error' })
})
