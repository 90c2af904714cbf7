// What each provider is sent, and what its answers mean: a row for each way of asking. Shapes are from the providers' own documents.

import { Buffer } from 'node:buffer'
import { readdir, readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { Adaptation } from '#contracts/adaptation.ts'
import type { Offer } from '#contracts/attempt.ts'
import { concat, utf8 } from '#contracts/bytes.ts'
import { provider as providerSchema } from '#contracts/catalog.ts'
import type { JobKind } from '#contracts/job.ts'
import { type MediaFile, writeMediaBody } from '#contracts/media.ts'
import { readForm } from '#contracts/wire/multipart.ts'
import { accountsOf } from './keys.ts'
import { createLimitReader } from './learned-limits.ts'
import { openMediaCall } from './media.ts'
import type { AnswerEnd, AnswerFailure } from './sink.ts'

const SECRET = 'sk-secret'
const sound: MediaFile = { field: 'file', name: 'private name.mp3', type: 'audio/mpeg', bytes: new Uint8Array([1, 2, 3]) }
const picture: MediaFile = { field: 'image', name: 'a.png', type: 'image/png', bytes: new Uint8Array([7]) }

interface Given {
  kind: JobKind
  media?: object
  base?: string
  model?: string
  fields?: Record<string, unknown>
  files?: MediaFile[]
  key?: string
  more?: object
  adapt?: Adaptation
}

function opened({
  kind,
  media = {},
  base = 'https://api.example/v1',
  model = 'org/m',
  key = SECRET,
  more = {},
  fields = {},
  files = [],
  adapt,
}: Given) {
  const provider = providerSchema.parse({ name: 'p', base_url: base, media: { [kind]: media }, models: [{ id: model }], ...more })
  const full = { ...provider, configured: true, accounts: [] }
  const account = accountsOf(full, [key]).get('p-1')
  const offer = { kind, model, id: 'r', account: 'p-1', est: { in: 9, out: 0, audio_seconds: 4 }, adapt } as Offer
  const call = openMediaCall({ provider: full, habits: { headers: {} }, limits: createLimitReader(full) }, offer)
  if (!call || !account) throw new Error('no call')
  return { call, request: call.request(account, writeMediaBody({ fields, files })) }
}

const sent = (asked: Given) => {
  const { request } = opened(asked)
  const type = request.headers['content-type'] ?? ''
  const given = request.body
  const bytes = typeof given === 'string' ? utf8(given) : given instanceof Uint8Array ? given : concat(given)
  const text = Buffer.from(bytes).toString('latin1')
  const body =
    type === 'application/json' ? JSON.parse(new TextDecoder().decode(bytes)) : type.startsWith('multipart') ? readForm(bytes, type) : text
  return { to: `${request.origin ?? ''}${request.path}`, body, headers: request.headers, method: request.method ?? 'POST' }
}

describe('what is sent', () => {
  it.each<[string, Given, string, unknown]>([
    [
      'embeddings as OpenAI has them',
      { kind: 'embedding', fields: { input: 'a', user: 'u' } },
      '/v1/embeddings',
      { model: 'org/m', input: 'a', user: 'u' },
    ],
    [
      'to one that calls a field otherwise, takes none of another and wants a third',
      {
        kind: 'embedding',
        media: { rename: { dimensions: 'output_dimension' }, drop: ['user'], default: { input_type: 'query' } },
        fields: { input: 'a', user: 'u', dimensions: 3 },
      },
      '/v1/embeddings',
      { model: 'org/m', input: 'a', output_dimension: 3, input_type: 'query' },
    ],
    [
      'without what was refused before',
      {
        kind: 'image',
        fields: { prompt: 'a', response_format: 'b64_json', user: 'u' },
        adapt: { drop: ['response_format'], rename: { user: 'safety_id' } },
      },
      '/v1/images/generations',
      { model: 'org/m', prompt: 'a', safety_id: 'u' },
    ],
    [
      'what the client has said stands before what is usual',
      { kind: 'embedding', media: { default: { input_type: 'query' } }, fields: { input: 'a', input_type: 'passage' } },
      '/v1/embeddings',
      { model: 'org/m', input: 'a', input_type: 'passage' },
    ],
    [
      'speech as OpenAI has it, in the only format there is',
      { kind: 'speech', media: { formats: ['wav'] }, fields: { input: 'hi', voice: 'x' } },
      '/v1/audio/speech',
      { model: 'org/m', input: 'hi', voice: 'x', response_format: 'wav' },
    ],
    [
      'speech with a voice that is named after its model',
      { kind: 'speech', media: { voice: '{model}:{voice}' }, fields: { input: 'hi', voice: 'alex' } },
      '/v1/audio/speech',
      { model: 'org/m', input: 'hi', voice: 'org/m:alex' },
    ],
    [
      'speech to Gemini, beside the part that speaks OpenAI’s language',
      {
        kind: 'speech',
        base: 'https://g.example/v1beta/openai',
        model: 'tts',
        media: { style: 'gemini' },
        fields: { input: 'hi', voice: 'Kore' },
      },
      '/v1beta/models/tts:generateContent',
      {
        contents: [{ role: 'user', parts: [{ text: 'hi' }] }],
        generationConfig: { responseModalities: ['AUDIO'], speechConfig: { voiceConfig: { prebuiltVoiceConfig: { voiceName: 'Kore' } } } },
      },
    ],
    [
      'speech to Cloudflare',
      {
        kind: 'speech',
        base: 'https://c.example/accounts/acc/ai/v1',
        model: '@cf/myshell-ai/melotts',
        media: { style: 'cloudflare-run' },
        fields: { input: 'hi', voice: 'x' },
      },
      '/accounts/acc/ai/run/@cf/myshell-ai/melotts',
      { prompt: 'hi' },
    ],
    [
      'speech to a model that chats aloud',
      { kind: 'speech', media: { style: 'chat-audio' }, fields: { input: 'hi', response_format: 'wav' } },
      '/v1/chat/completions',
      {
        model: 'org/m',
        modalities: ['text', 'audio'],
        audio: { voice: 'alloy', format: 'wav' },
        messages: [
          { role: 'system', content: 'Read the text of the user aloud, word for word. Say nothing else.' },
          { role: 'user', content: 'hi' },
        ],
      },
    ],
    [
      'a transcription as OpenAI has it, without the name that the client gave the file',
      { kind: 'transcription', fields: { language: 'en', response_format: 'srt' }, files: [sound] },
      '/v1/audio/transcriptions',
      {
        fields: [
          ['model', 'org/m'],
          ['language', 'en'],
          ['response_format', 'verbose_json'],
        ],
        files: [{ field: 'file', name: 'audio.mp3', type: 'audio/mpeg', bytes: Buffer.from([1, 2, 3]) }],
      },
    ],
    [
      'times of words, by the name that this takes in a form',
      { kind: 'transcription', fields: { timestamp_granularities: ['word', 'segment'], response_format: 'verbose_json' }, files: [sound] },
      '/v1/audio/transcriptions',
      expect.objectContaining({
        fields: expect.arrayContaining([
          ['timestamp_granularities[]', 'word'],
          ['timestamp_granularities[]', 'segment'],
        ]),
      }),
    ],
    [
      'a transcription to Gemini',
      {
        kind: 'transcription',
        base: 'https://g.example/v1beta/openai',
        model: 'flash',
        media: { style: 'gemini' },
        fields: { language: 'de' },
        files: [sound],
      },
      '/v1beta/models/flash:generateContent',
      {
        contents: [
          {
            role: 'user',
            parts: [{ text: expect.stringContaining('The language is de.') }, { inline_data: { mime_type: 'audio/mp3', data: 'AQID' } }],
          },
        ],
        generationConfig: { temperature: 0 },
      },
    ],
    [
      'a transcription to Cloudflare',
      {
        kind: 'transcription',
        base: 'https://c.example/ai/v1',
        media: { style: 'cloudflare-run' },
        fields: { language: 'en', prompt: 'Ada' },
        files: [sound],
      },
      '/ai/run/org/m',
      { audio: 'AQID', language: 'en', initial_prompt: 'Ada' },
    ],
    [
      'a transcription to one of Cloudflare’s that takes the file as it is',
      { kind: 'transcription', base: 'https://c.example/ai/v1', media: { style: 'cloudflare-run', raw_models: ['org/m'] }, files: [sound] },
      '/ai/run/org/m',
      '\x01\x02\x03',
    ],
    [
      'a picture as OpenAI has it',
      { kind: 'image', fields: { prompt: 'a', n: 2 } },
      '/v1/images/generations',
      { model: 'org/m', prompt: 'a', n: 2 },
    ],
    [
      'a change of two pictures',
      { kind: 'image', fields: { prompt: 'a' }, files: [picture, picture] },
      '/v1/images/edits',
      {
        fields: [
          ['model', 'org/m'],
          ['prompt', 'a'],
        ],
        files: [
          { ...picture, field: 'image[]', bytes: Buffer.from([7]) },
          { ...picture, field: 'image[]', bytes: Buffer.from([7]) },
        ],
      },
    ],
    [
      'a picture to NVIDIA, at another address',
      {
        kind: 'image',
        media: { style: 'nvidia-genai', url: 'https://ai.example/v1/genai/{model}' },
        fields: { prompt: 'a', size: '1024x768', n: 1 },
        files: [picture],
      },
      'https://ai.example/v1/genai/org/m',
      { prompt: 'a', width: 1024, height: 768, image: ['data:image/png;base64,Bw=='] },
    ],
    [
      'a picture to SiliconFlow',
      { kind: 'image', media: { style: 'siliconflow' }, fields: { prompt: 'a', size: '1024x1024', n: 2 } },
      '/v1/images/generations',
      { model: 'org/m', prompt: 'a', image_size: '1024x1024', batch_size: 2 },
    ],
    [
      'a picture to Cloudflare',
      { kind: 'image', base: 'https://c.example/ai/v1', media: { style: 'cloudflare-run' }, fields: { prompt: 'a', n: 1 } },
      '/ai/run/org/m',
      { prompt: 'a' },
    ],
    [
      'a picture by its address alone',
      {
        kind: 'image',
        media: { style: 'get-bytes', url: 'https://i.example/prompt/{prompt}', force: { nologo: true } },
        fields: { prompt: 'a/b ?', size: '512x256' },
      },
      'https://i.example/prompt/a%2Fb%20%3F?model=org%2Fm&width=512&height=256&nologo=true',
      '',
    ],
    [
      'a prompt that is half a character, as part of an address',
      { kind: 'image', media: { style: 'get-bytes', url: 'https://i.example/{prompt}' }, fields: { prompt: 'a\ud83d' } },
      'https://i.example/a%EF%BF%BD?model=org%2Fm',
      '',
    ],
  ])('%s', (_, given, to, body) => {
    expect(sent(given)).toMatchObject({
      to,
      method: given.media && 'style' in given.media && given.media.style === 'get-bytes' ? 'GET' : 'POST',
    })
    expect(sent(given).body).toEqual(body)
  })

  it('shows who we are as everywhere, and to Gemini’s own interface as that wants it', () => {
    expect(sent({ kind: 'embedding', fields: { input: 'a' } }).headers).toMatchObject({ authorization: `Bearer ${SECRET}` })
    const { headers } = sent({ kind: 'speech', media: { style: 'gemini' }, fields: { input: 'hi' } })
    expect(headers['x-goog-api-key']).toBe(SECRET)
    expect(headers).not.toHaveProperty('authorization')
  })

  it('has the account in its address', () => {
    const more = { auth: { key_format: 'account_id:api_token' } }
    const { to, headers } = sent({
      kind: 'image',
      base: 'https://c.example/accounts/{account_id}/ai/v1',
      media: { style: 'cloudflare-run' },
      more,
      key: 'acc:tok',
      fields: { prompt: 'a' },
    })
    expect(to).toBe('/accounts/acc/ai/run/org/m')
    expect(headers.authorization).toBe('Bearer tok')
  })

  it('asks for a known voice in place of one that is not', () => {
    const more = { models: [{ id: 'org/m', voices: ['Kore', 'Puck'] }] }
    const voiceOf = (voice?: string) => sent({ kind: 'speech', more, fields: { input: 'hi', voice } }).body.voice
    expect([voiceOf('Puck'), voiceOf('alloy'), voiceOf()]).toEqual(['Puck', 'Kore', 'Kore'])
  })
})

describe('what a provider cannot do is found out before it is asked', () => {
  it.each<[string, Given, string]>([
    ['a file that is too large', { kind: 'transcription', media: { max_bytes: 2 }, files: [sound] }, 'files over 2 bytes'],
    ['a kind of file', { kind: 'transcription', media: { mime: ['audio/wav'] }, files: [sound] }, 'files of audio/mpeg'],
    ['a format of sound', { kind: 'speech', media: { formats: ['wav'] }, fields: { input: 'a', response_format: 'mp3' } }, 'sound as mp3'],
    [
      'the same for Gemini, which gives samples',
      { kind: 'speech', media: { style: 'gemini' }, fields: { input: 'a', response_format: 'mp3' } },
      'sound as mp3',
    ],
    ['a field that it must have', { kind: 'transcription', media: { required: ['language'] }, files: [sound] }, 'language is required'],
    [
      'pictures that are to be changed',
      { kind: 'image', media: { style: 'cloudflare-run' }, fields: { prompt: 'a' }, files: [picture] },
      'changing pictures',
    ],
    [
      'several pictures',
      { kind: 'image', media: { style: 'nvidia-genai' }, fields: { prompt: 'a', n: 2 } },
      'more than one picture at a time',
    ],
    [
      'a style that it does not have for this',
      { kind: 'embedding', media: { style: 'gemini' }, fields: { input: 'a' } },
      'embedding at this provider',
    ],
  ])('%s', (_, given, message) => {
    expect(() => opened(given)).toThrow(expect.objectContaining({ status: 400, message: `unsupported media operation: ${message}` }))
  })
})

interface Heard {
  type: string
  body: string
  end: AnswerEnd | undefined
  failure: AnswerFailure | undefined
}

function answered(given: Given, body: string | object | Uint8Array, type = 'application/json', status = 200): Heard {
  const { call } = opened(given)
  const heard: Heard = { type: '', body: '', end: undefined, failure: undefined }
  const parts: Uint8Array[] = []
  const answer = call.answer({
    head: (_, sent) => {
      heard.type = sent
    },
    payload: (bytes) => void parts.push(bytes),
    whole: (sent, _, bytes, end) => {
      heard.type = sent
      parts.push(bytes)
      heard.end = end
    },
    end: (end) => {
      heard.end = end
    },
    fail: (failure) => {
      heard.failure = failure
    },
  })
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  answer.onHeaders(status, { 'content-type': type })
  for (let at = 0; at < bytes.length; at += 7) answer.onData(bytes.subarray(at, at + 7))
  answer.onEnd()
  return { ...heard, body: Buffer.concat(parts).toString('latin1') }
}

describe('what an answer means', () => {
  const samples = Buffer.from([1, 0, 2, 0])
  const gemini = (part: object) => ({
    candidates: [{ content: { parts: [part] } }],
    usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 3 },
  })
  const speaks: Given = { kind: 'speech', media: { style: 'gemini' }, fields: { input: 'hi' } }
  const said = gemini({ inlineData: { mimeType: 'audio/L16;codec=pcm;rate=16000', data: samples.toString('base64') } })

  it('embeddings are numbers, whatever they were', () => {
    const packed = Buffer.alloc(8)
    packed.writeFloatLE(1, 0)
    packed.writeFloatLE(-0.5, 4)
    const data = [
      { index: 1, embedding: packed.toString('base64') },
      { index: 0, embedding: [0.25, 0] },
    ]
    const { body, end } = answered({ kind: 'embedding', fields: { input: 'a' } }, { data, usage: { prompt_tokens: 5, total_tokens: 5 } })
    expect(JSON.parse(body).data.map((one: { embedding: number[] }) => one.embedding)).toEqual([
      [0.25, 0],
      [1, -0.5],
    ])
    expect(end).toMatchObject({ usage: { in: 5, out: 0 }, usageSource: 'provider' })
  })

  it('sound is handed on as it comes', () => {
    expect(answered({ kind: 'speech', fields: { input: 'a' } }, 'ID3 and so on', 'audio/mpeg')).toMatchObject({
      type: 'audio/mpeg',
      body: 'ID3 and so on',
      end: { usageSource: 'estimated' },
    })
  })

  it('samples of Gemini’s get the head that makes a file of them', () => {
    const { type, body, end } = answered(speaks, said)
    expect(type).toBe('audio/wav')
    expect(body.slice(0, 4)).toBe('RIFF')
    expect(Buffer.from(body, 'latin1').readUInt32LE(24)).toBe(16_000)
    expect(body.slice(44)).toBe(samples.toString('latin1'))
    expect(end?.usage).toMatchObject({ in: 7, out: 3 })
    expect(answered({ ...speaks, fields: { input: 'hi', response_format: 'pcm' } }, said)).toMatchObject({
      type: 'audio/pcm',
      body: samples.toString('latin1'),
    })
  })

  it.each<[string, Given, object | Uint8Array, string, object, object]>([
    [
      'a transcription',
      { kind: 'transcription', files: [sound] },
      { text: 'Hi', duration: 2.2 },
      'application/json',
      { text: 'Hi', duration: 2.2 },
      { audio_seconds: 3 },
    ],
    [
      'one whose length is not told',
      { kind: 'transcription', files: [sound] },
      { text: 'Hi' },
      'application/json',
      { text: 'Hi' },
      { audio_seconds: 4 },
    ],
    [
      'one of Gemini’s',
      { kind: 'transcription', media: { style: 'gemini' }, files: [sound] },
      gemini({ text: 'Hi\n' }),
      'application/json',
      { text: 'Hi' },
      { in: 7, out: 3, audio_seconds: 4 },
    ],
    [
      'silence',
      { kind: 'transcription', media: { style: 'gemini' }, files: [sound] },
      gemini({ text: '[silence]' }),
      'application/json',
      { text: '' },
      {},
    ],
    [
      'one of Cloudflare’s',
      { kind: 'transcription', media: { style: 'cloudflare-run' }, files: [sound] },
      { result: { text: 'Hi', transcription_info: { language: 'en', duration: 1.5 } }, success: true },
      'application/json',
      { text: 'Hi', language: 'en', duration: 1.5 },
      { audio_seconds: 2 },
    ],
    [
      'pictures',
      { kind: 'image', fields: { prompt: 'a' } },
      { created: 1, data: [{ b64_json: 'AA' }, { url: 'u' }] },
      'application/json',
      { data: [{ b64_json: 'AA' }, { url: 'u' }] },
      { images: 2 },
    ],
    [
      'NVIDIA’s',
      { kind: 'image', media: { style: 'nvidia-genai' }, fields: { prompt: 'a' } },
      { artifacts: [{ base64: 'AA' }] },
      'application/json',
      { data: [{ b64_json: 'AA' }] },
      { images: 1 },
    ],
    [
      'SiliconFlow’s',
      { kind: 'image', media: { style: 'siliconflow' }, fields: { prompt: 'a' } },
      { images: [{ url: 'u' }] },
      'application/json',
      { data: [{ url: 'u' }] },
      { images: 1 },
    ],
    [
      'Cloudflare’s',
      { kind: 'image', media: { style: 'cloudflare-run' }, fields: { prompt: 'a' } },
      { result: { image: 'AA' } },
      'application/json',
      { data: [{ b64_json: 'AA' }] },
      { images: 1 },
    ],
    [
      'Cloudflare’s as bytes',
      { kind: 'image', media: { style: 'cloudflare-run' }, fields: { prompt: 'a' } },
      new Uint8Array([0]),
      'image/png',
      { data: [{ b64_json: 'AA==' }] },
      { images: 1 },
    ],
    [
      'bytes',
      { kind: 'image', media: { style: 'get-bytes', url: 'https://i.example/{prompt}' }, fields: { prompt: 'a' } },
      new Uint8Array([0]),
      'image/jpeg',
      { data: [{ b64_json: 'AA==' }] },
      { images: 1 },
    ],
  ])('%s', (_, given, body, type, expected, usage) => {
    const { body: told, end, failure } = answered(given, body, type)
    expect(failure).toBeUndefined()
    expect(JSON.parse(told)).toMatchObject(expected)
    expect(end?.usage).toMatchObject(usage)
  })

  it.each<[string, Given, object]>([
    [
      'Cloudflare’s',
      { kind: 'speech', media: { style: 'cloudflare-run' }, fields: { input: 'a' } },
      { result: { audio: Buffer.from('ID3').toString('base64') } },
    ],
    [
      'a model’s that chats aloud',
      { kind: 'speech', media: { style: 'chat-audio' }, fields: { input: 'a' } },
      { choices: [{ message: { audio: { data: Buffer.from('ID3').toString('base64') } } }] },
    ],
  ])('%s words are sound', (_, given, body) => {
    expect(answered(given, body)).toMatchObject({ type: 'audio/mpeg', body: 'ID3' })
  })
})

describe('what is no answer', () => {
  it.each<[string, Given, object | string, string, number, object]>([
    [
      'a refusal',
      { kind: 'speech', fields: { input: 'a' } },
      { error: { message: 'slow down' } },
      'application/json',
      429,
      { phase: 'status', status: 429, code: 'rate_limited' },
    ],
    [
      'an error in place of sound',
      { kind: 'speech', fields: { input: 'a' } },
      { error: { message: 'quota exceeded' } },
      'application/json',
      200,
      { phase: 'in_band', status: 502 },
    ],
    ['no sound at all', { kind: 'speech', fields: { input: 'a' } }, '', 'audio/mpeg', 200, { phase: 'in_band', code: 'malformed' }],
    ['a page', { kind: 'image', fields: { prompt: 'a' } }, '<html>login</html>', 'text/html', 200, { phase: 'in_band' }],
    [
      'no picture',
      { kind: 'image', fields: { prompt: 'a' } },
      { data: [{}] },
      'application/json',
      200,
      { phase: 'in_band', code: 'malformed' },
    ],
    [
      'half of it',
      { kind: 'embedding', fields: { input: 'a' } },
      '{"data":[',
      'application/json',
      200,
      { phase: 'in_band', code: 'malformed' },
    ],
    [
      'an error with a good status',
      { kind: 'image', fields: { prompt: 'a' } },
      { error: { message: 'rate limit reached', code: 429 } },
      'application/json',
      200,
      { phase: 'in_band', status: 502 },
    ],
  ])('%s', (_, given, body, type, status, expected) => {
    const { failure, end, body: told } = answered(given, body, type, status)
    expect(failure).toMatchObject(expected)
    expect({ end, told }).toEqual({ end: undefined, told: '' })
  })
})

describe('every medium that is shipped can be asked for', async () => {
  const folder = new URL('../router/catalog/', import.meta.url)
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json') && file !== 'aliases.json')
  const shipped = await Promise.all(
    files.map(async (file) => providerSchema.parse(JSON.parse(await readFile(new URL(file, folder), 'utf8')))),
  )
  const wav: MediaFile = { ...sound, type: 'audio/wav' }
  const asks: Record<string, Given> = {
    embeddings: { kind: 'embedding', fields: { input: 'a' } },
    tts: { kind: 'speech', fields: { input: 'a', voice: 'alloy' } },
    stt: { kind: 'transcription', fields: { language: 'en' }, files: [wav] },
    image_gen: { kind: 'image', fields: { prompt: 'a' } },
    image_edit: { kind: 'image', fields: { prompt: 'a' }, files: [picture] },
  }
  const rows = shipped.flatMap((provider) =>
    provider.models
      .filter(({ enabled }) => enabled && provider.enabled)
      .flatMap(({ id, capabilities }) =>
        capabilities.filter((one) => Object.hasOwn(asks, one)).map((capability) => [provider.name, id, capability, provider] as const),
      ),
  )

  it('of many kinds', () => expect(new Set(rows.map(([, , capability]) => capability)).size).toBe(5))

  it.each(rows)('%s %s: %s', (_, id, capability, provider) => {
    const key = provider.auth.key_format === 'account_id:api_token' ? 'acc:tok' : SECRET
    const full = { ...provider, configured: true, accounts: [] }
    const account = accountsOf(full, [key]).get(`${provider.name}-1`)
    const ask = asks[capability] as Given
    const offer = { kind: ask.kind, model: id, id: 'r', account: 'a', est: { in: 1, out: 0 } } as Offer
    const call = openMediaCall({ provider: full, habits: { headers: {} }, limits: createLimitReader(full) }, offer)
    const body = writeMediaBody({ fields: ask.fields ?? {}, files: ask.files ?? [] })
    const request = account && call?.request(account, body)
    expect(request?.path).toMatch(/^\/[!-~]+$/)
    expect(request?.path).not.toContain('{')
  })
})
