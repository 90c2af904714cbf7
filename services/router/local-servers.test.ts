import { describe, expect, it } from 'vitest'
import { provider as providerSchema } from '#contracts/catalog.ts'
import { localProvider, ollamaModel, openaiModels, originOf, serversToAsk } from './local-servers.ts'
import { shippedCatalog } from './shipped.ts'

const { providers: shipped } = await shippedCatalog()
const nowhere = { ollama: undefined, llamacpp: undefined, lmstudio: undefined, vllm: undefined }

function ask({ providers = {}, alone = true, port = 3001, ...local }: Record<string, unknown> = {}) {
  const settings = {
    local: { mode: 'auto', hosts: nowhere, customBaseUrl: undefined, ollamaContext: undefined, ...local },
    providers,
    port,
    keysOf: ({ name }: { name: string }) => (name === 'custom' ? ['sk-custom'] : []),
  } as Parameters<typeof serversToAsk>[0]
  return serversToAsk(settings, shipped, alone as boolean)
}
const asked = (...args: Parameters<typeof ask>) => ask(...args).map(({ name, baseUrl }) => `${name} ${baseUrl}`)
const usual = [
  'ollama http://127.0.0.1:11434/v1',
  'llamacpp http://127.0.0.1:8080/v1',
  'lmstudio http://127.0.0.1:1234/v1',
  'vllm http://127.0.0.1:8000/v1',
]

describe('the servers to be asked', () => {
  it.each<[string, object, string[]]>([
    ['all of freeway runs here', {}, usual],
    ['only a router runs here', { alone: false }, []],
    ['the operator wants it all the same', { alone: false, mode: 'on' }, usual],
    ['the operator wants none', { mode: 'off', customBaseUrl: 'http://127.0.0.1:5000/v1' }, []],
    ['there is one of his own', { alone: false, customBaseUrl: 'http://10.0.0.1:5000/v1/' }, ['custom http://10.0.0.1:5000/v1']],
    ['one is elsewhere', { hosts: { ...nowhere, ollama: '10.0.0.1' } }, ['ollama http://10.0.0.1:11434/v1', ...usual.slice(1)]],
    [
      'freeway.json says where one is',
      { providers: { vllm: { base_url: 'http://10.0.0.1:9/v1' } } },
      [...usual.slice(0, 3), 'vllm http://10.0.0.1:9/v1'],
    ],
    ['freeway.json switches one off', { providers: { ollama: { enabled: false } } }, usual.slice(1)],
    ['freeway.json lists the models of one', { providers: { ollama: { models: [{ id: 'm' }] } } }, usual.slice(1)],
    ['freeway.json changes a model of one', { providers: { ollama: { models: { m: {} } } } }, usual],
    ['freeway itself listens where one usually does', { port: 8080 }, usual.filter((one) => !one.startsWith('llamacpp'))],
  ])('are right where %s', (_, settings, expected) => expect(asked(settings as Record<string, unknown>)).toEqual(expected))

  it('are asked with the key that there is', () => {
    expect(ask({ customBaseUrl: 'http://127.0.0.1:5000/v1' }).map(({ key }) => key)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      'sk-custom',
    ])
  })
})

describe('an address', () => {
  it.each([
    [undefined, 'http://127.0.0.1:11434'],
    ['', 'http://127.0.0.1:11434'],
    ['0.0.0.0', 'http://127.0.0.1:11434'],
    ['0.0.0.0:8000', 'http://127.0.0.1:8000'],
    ['[::]:8000', 'http://127.0.0.1:8000'],
    [':8000', 'http://127.0.0.1:8000'],
    ['my-box', 'http://my-box:11434'],
    ['my-box:9', 'http://my-box:9'],
    ['http://my-box:9/', 'http://my-box:9'],
    ['https://my-box', 'https://my-box'],
    ['not an address', 'http://127.0.0.1:11434'],
  ])('%j is read as %s', (text, origin) => expect(originOf(text, 11_434)).toBe(origin))
})

describe('what a server tells', () => {
  it('of Ollama is put into our words, and never more context than it reads', () => {
    expect(ollamaModel('qwen3:8b', ['completion', 'tools', 'thinking', 'insert'], 40_960, 4096)).toMatchObject({
      id: 'qwen3:8b',
      capabilities: ['chat', 'json_schema', 'tools', 'reasoning'],
      context_window: 4096,
    })
    expect(ollamaModel('nomic-embed-text:latest', ['embedding'], 2048, 4096)).toMatchObject({
      id: 'nomic-embed-text',
      capabilities: ['embeddings'],
      context_window: 2048,
    })
  })

  it.each([
    ['llava:13b', ['chat', 'tools', 'json_schema', 'vision']],
    ['text-embedding-nomic', ['embeddings']],
    ['mistral', ['chat', 'tools', 'json_schema']],
  ])('no capabilities of %s is guessed by its name', (name, capabilities) => {
    expect(ollamaModel(name, undefined, undefined, 4096).capabilities).toEqual(capabilities)
    expect(openaiModels({ data: [{ id: name }] })[0]?.capabilities).toEqual(capabilities)
  })

  it.each([
    ['vLLM', { max_model_len: 32_768 }],
    ['llama.cpp', { meta: { n_ctx_train: 32_768 } }],
    ['LM Studio', { max_context_length: 32_768 }],
  ])('of %s names its context', (_, fields) => expect(openaiModels({ data: [{ id: 'm', ...fields }] })[0]?.context_window).toBe(32_768))

  it.each([
    ['no list', {}],
    ['a text', 'hello'],
    ['nothing', null],
    ['the list of a freeway', { data: [{ id: 'freeai-auto', owned_by: 'freeway' }] }],
  ])('is no list of models if it is %s', (_, answer) => expect(() => openaiModels(answer)).toThrow())

  it('is read as far as it can be', () => {
    expect(openaiModels({ data: [null, 7, { id: 7 }, { id: '' }, { id: 'm', max_model_len: -1 }] }).map(({ id }) => id)).toEqual(['m'])
  })
})

describe('a server that was found', () => {
  it('is a provider that needs no key and comes after the free tiers, with what is known of its models', () => {
    const [ollama] = ask()
    const found = localProvider(ollama as NonNullable<typeof ollama>, [ollamaModel('llama3.2:latest', ['completion'], undefined, 4096)])
    expect(found).toMatchObject({
      name: 'ollama',
      needs_key: false,
      enabled: true,
      status: 'local',
      weight: 0.5,
      request_policy: { drop: expect.arrayContaining(['tool_choice']) },
    })
    const row = shipped.find(({ name }) => name === 'ollama')?.models.find(({ id }) => id === 'llama3.2')
    expect(found.models[0]).toMatchObject({
      id: 'llama3.2',
      enabled: true,
      context_window: 4096,
      model_id: row?.model_id,
      intelligence_rank: row?.intelligence_rank,
    })
    expect(providerSchema.safeParse(found).success).toBe(true)
  })
})
