// What a client learns about models over HTTP: the lists of every dialect, who may read them, and servers that appear while freeway runs.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { type Gateway, keyHash, startGateway } from '#test/support/gateway.ts'
import { until } from '#test/support/until.ts'

const stack = new AsyncDisposableStack()
afterAll(() => stack.disposeAsync())

const KEY = 'fw-journey-key'
const keyed = { authorization: `Bearer ${KEY}` }
const client = { name: 'app', key_hash: keyHash(KEY) }

async function upstream(): Promise<Simulator> {
  const simulator = await startSimulator()
  stack.defer(() => simulator.close())
  return simulator
}

describe('the lists of models', () => {
  let gateway: Gateway
  beforeAll(async () => {
    const { url } = await upstream()
    const alpha = {
      base_url: `${url}/v1`,
      api_key: 'sk',
      models: [
        { id: 'deep/seek-v4:free', context_window: 64_000, max_output: 8000 },
        { id: 'secret', tier: 'verified' },
        { id: 'full', enabled: false },
      ],
    }
    const groq = { base_url: `${url}/v1`, api_key: 'sk' }
    gateway = stack.use(
      await startGateway({ config: { providers: { alpha, groq }, clients: [client] }, env: { SITE_KEY: 'site-key-of-this-test' } }),
    )
  })
  const get = (path: string, headers: Record<string, string> = keyed) => fetch(`${gateway.url}${path}`, { headers })
  // biome-ignore lint/suspicious/noExplicitAny: each test knows its shape
  const body = async (...args: Parameters<typeof get>): Promise<any> => (await get(...args)).json()

  it.each(['/v1/models', '/v1/models/full', '/v1/models/random', '/v1/models/text-basic', '/api/models.php'])(
    '%s is for those who have a key',
    async (path) => {
      expect((await get(path, {})).status).toBe(401)
      expect((await get(path, { authorization: 'Bearer wrong' })).status).toBe(401)
      expect((await get(path, { 'x-api-key': KEY })).status).toBe(200)
      expect((await get(path)).status).toBe(200)
    },
  )

  it('with all details is open to the web site too, and only that', async () => {
    const site = { authorization: 'Bearer site-key-of-this-test' }
    expect((await get('/v1/models/full', site)).status).toBe(200)
    expect((await get('/v1/models', site)).status).toBe(401)
    expect(await body('/v1/models/full', { authorization: 'Bearer freetheai.xyz' })).toMatchObject({
      error: { type: 'invalid_request_error', message: 'invalid site catalog key' },
    })
  })

  it('hold what can be called: own models, shipped ones whose key is there, and aliases', async () => {
    const ids = (await body('/v1/models')).data.map(({ id }: { id: string }) => id)
    expect(ids).toEqual(
      expect.arrayContaining(['freeai-auto', 'alpha/deep/seek-v4:free', 'groq/openai/gpt-oss-120b', 'whisper-1', 'text-basic']),
    )
    expect(ids).not.toContain('mistral/codestral-latest')
    expect(ids).not.toContain('alpha/full')
    expect(new Set(ids).size).toBe(ids.length)
  })

  it.each(['alpha/deep/seek-v4:free', 'alpha%2Fdeep%2Fseek-v4%3Afree', 'opc/deepseek-v4-flash-free', 'freeway-auto'])(
    'name %s',
    async (path) => {
      expect(await body(`/v1/models/${path}`)).toMatchObject({
        id: decodeURIComponent(path),
        object: 'model',
        context_window: expect.any(Number),
      })
    },
  )

  it('say what each can do and who may use it', async () => {
    const { data } = await body('/v1/models/full')
    const of = (id: string) => data.find((entry: { id: string }) => entry.id === id)
    expect(of('alpha/deep/seek-v4:free')).toMatchObject({ max_output: 8000, image_support: false, tier: 'public', access: 'open' })
    expect(of('alpha/secret')).toMatchObject({ tier: 'verified', access: 'denied' })
  })

  it('speak Anthropic’s words to their clients', async () => {
    const list = await body('/v1/models?limit=3', { 'x-api-key': KEY, 'anthropic-version': '2023-06-01' })
    expect(list).toMatchObject({ has_more: true, first_id: 'freeai-auto', data: [{ type: 'model' }, {}, {}] })
  })

  it('give a model at random that answers when it is asked', async () => {
    const { modelId } = await body('/v1/models/random')
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...keyed, 'content-type': 'application/json' },
      body: JSON.stringify({ model: modelId, messages: [{ role: 'user', content: 'Hello!' }] }),
    })
    expect(response.status).toBe(200)
  })

  it('number the models of FreeLLMAPI', async () => {
    const models = await body('/api/models.php')
    expect(models.find(({ model_id }: { model_id: string }) => model_id === 'openai/gpt-oss-120b')).toMatchObject({
      id: 2,
      platform: 'groq',
      rpm_limit: 30,
      tpm_limit: 8000,
      size_label: expect.any(String),
      enabled: true,
    })
    expect(await body('/api/models.php', {})).toMatchObject({ error: expect.any(String), code: 401 })
  })
})

describe('a server of models on this machine', () => {
  it('is offered while it runs, and answers', async () => {
    const { url } = await upstream()
    const nowhere = '127.0.0.1:1'
    const env = {
      FREEWAY_LOCAL: 'auto',
      FREEWAY_DEMO: 'off',
      VLLM_HOST: url,
      OLLAMA_HOST: nowhere,
      LLAMACPP_HOST: nowhere,
      LMSTUDIO_HOST: nowhere,
    }
    const gateway = stack.use(await startGateway({ env }))
    const listed = async () => (await (await fetch(`${gateway.url}/v1/models`)).text()).includes('"vllm/demo/echo"')
    await until('the server is listed', listed)
    const response = await fetch(`${gateway.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'vllm/demo/echo', messages: [{ role: 'user', content: 'Good morning' }] }),
    })
    expect(await response.json()).toMatchObject({ choices: [{ message: { content: 'Good morning' } }] })
  })
})
