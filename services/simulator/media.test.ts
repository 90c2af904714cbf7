import { Buffer } from 'node:buffer'
import { inflateSync } from 'node:zlib'
import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Simulator, startSimulator } from './simulator.ts'
import { makeSound } from './sound.ts'

let simulator: Simulator
let client: OpenAI
beforeAll(async () => {
  simulator = await startSimulator()
  client = new OpenAI({ baseURL: `${simulator.url}/v1`, apiKey: 'k', maxRetries: 0 })
})
afterAll(() => simulator.close())

test('an embedding is a unit vector, the same for the same text, in floats and base64 alike', async () => {
  const [asked, floats] = await Promise.all([
    client.embeddings.create({ model: 'demo/embedding', input: ['cats and dogs', 'dogs and cats'], dimensions: 16 }),
    client.embeddings.create({ model: 'demo/embedding', input: 'cats and dogs', dimensions: 16, encoding_format: 'float' }),
  ])
  const vector = asked.data[0]?.embedding ?? []
  expect(vector).toHaveLength(16)
  expect(Math.hypot(...vector)).toBeCloseTo(1, 5)
  expect(floats.data[0]?.embedding).toEqual(vector)
  expect(asked.data[1]?.embedding.map((value) => value.toFixed(4))).toEqual(vector.map((value) => value.toFixed(4)))
  await expect(client.embeddings.create({ model: 'm', input: 'x', dimensions: 0 })).rejects.toMatchObject({
    status: 400,
    param: 'dimensions',
  })
})

test.each([
  ['mp3', 'audio/mpeg', 'fffb'],
  ['wav', 'audio/wav', '52494646'],
  ['opus', 'audio/ogg', '4f676753'],
  ['aac', 'audio/aac', 'fff1'],
  ['flac', 'audio/flac', '664c614380000022'],
  ['pcm', 'audio/pcm', '0000'],
] as const)('speech as %s has its type and its magic bytes', async (format, type, magic) => {
  const response = await client.audio.speech.create({
    model: 'demo/speech',
    voice: 'alloy',
    input: 'Hello there.',
    response_format: format,
  })
  const bytes = Buffer.from(await response.arrayBuffer())
  expect([response.headers.get('content-type'), bytes.toString('hex', 0, magic.length / 2)]).toEqual([type, magic])
  expect(bytes.length).toBeGreaterThan(200)
})

test('a transcription knows file and length and comes in every format', async () => {
  const file = await toFile(makeSound('wav', 3), 'note.wav', { type: 'audio/wav' })
  const as = (response_format: 'json' | 'srt' | 'vtt' | 'text' | 'verbose_json') =>
    client.audio.transcriptions.create({
      model: 'demo/transcription',
      file,
      response_format,
      timestamp_granularities: ['word'],
    }) as Promise<unknown>
  expect(await as('json')).toMatchObject({ text: expect.stringContaining('note.wav'), usage: { type: 'duration', seconds: 3 } })
  expect(await as('srt')).toMatch(/^1\n00:00:00,000 --> 00:00:03,000\n.*note\.wav.*\n\n$/)
  expect(await as('vtt')).toMatch(/^WEBVTT\n\n00:00\.000 --> 00:03\.000\n/)
  expect(await as('text')).toMatch(/note\.wav/)
  expect(await as('verbose_json')).toMatchObject({
    duration: 3,
    segments: [{ start: 0, end: 3 }],
    words: { 6: { word: 'note.wav.', end: 3 } },
  })
  const body = simulator.calls.at(-1)?.body
  expect(body).toMatchObject({
    model: 'demo/transcription',
    timestamp_granularities: ['word'],
    file: [{ name: 'note.wav', size: 144_044 }],
  })
})

test('a streamed transcription ends with the whole text', async () => {
  const file = await toFile(Buffer.from('x'), 'a.mp3')
  const events = []
  for await (const event of await client.audio.transcriptions.create({ model: 'm', file, stream: true })) events.push(event)
  expect(events.map((event) => (event.type === 'transcript.text.delta' ? event.delta : '')).join('')).toContain('a.mp3')
  expect(events.at(-1)?.type).toBe('transcript.text.done')
})

test('a transcription without a file is 400', async () => {
  const form = new FormData()
  form.set('model', 'm')
  expect((await fetch(`${simulator.url}/v1/audio/transcriptions`, { method: 'POST', body: form })).status).toBe(400)
})

test('a picture is a PNG of the size that was asked for', async () => {
  const made = await client.images.generate({ model: 'demo/image', prompt: 'a red square', size: '512x512', n: 2 })
  const png = Buffer.from(made.data?.[0]?.b64_json ?? '', 'base64')
  expect([png.toString('latin1', 1, 4), png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual(['PNG', 512, 512])
  const data = png.indexOf('IDAT')
  expect(inflateSync(png.subarray(data + 4, data + 4 + png.readUInt32BE(data - 4)))).toHaveLength(512 * 65)
  expect(made.data).toHaveLength(2)
})

test('a picture by address can be fetched', async () => {
  const made = await client.images.generate({ model: 'demo/image', prompt: 'x/y?', response_format: 'url' })
  const response = await fetch(made.data?.[0]?.url ?? '')
  expect([response.headers.get('content-type'), Buffer.from(await response.arrayBuffer()).toString('latin1', 1, 4)]).toEqual([
    'image/png',
    'PNG',
  ])
})

test('a picture is edited from a form with one or several images, and from JSON', async () => {
  const image = await toFile(Buffer.from('x'), 'a.png', { type: 'image/png' })
  const one = await client.images.edit({ model: 'm', prompt: 'blue', image })
  const two = await client.images.edit({ model: 'm', prompt: 'blue', image: [image, image] })
  expect(one.data?.[0]?.b64_json).toBe(two.data?.[0]?.b64_json)
  expect(simulator.calls.at(-1)?.body).toMatchObject({ image: [{ name: 'a.png' }, { name: 'a.png' }] })
  const edit = (body: object) => fetch(`${simulator.url}/v1/images/edits`, { method: 'POST', body: JSON.stringify(body) })
  expect((await edit({ model: 'm', prompt: 'blue', image: 'data:image/png;base64,eA==' })).status).toBe(200)
  expect([(await edit({ model: 'm', prompt: 'blue' })).status, (await edit({ model: 'm', image: 'x' })).status]).toEqual([400, 400])
})
