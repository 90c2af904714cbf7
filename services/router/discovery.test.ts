import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Known } from './build-catalog.ts'
import type { Discovery } from './discovery.ts'
import { startDiscovery } from './discovery.ts'
import type { LocalServer } from './local-servers.ts'
import { shippedCatalog } from './shipped.ts'

const { providers: shipped } = await shippedCatalog()
const running: (Discovery | Server)[] = []
afterEach(async () => {
  for (const one of running.splice(0)) {
    if ('listen' in one) one.closeAllConnections()
    await ('listen' in one ? new Promise((resolve) => one.close(resolve)) : one.close())
  }
})

type Answers = Record<string, unknown>

/** What `answers` holds for the path is answered in JSON; a path that it lacks is 404; `null` is never answered. */
async function serve(answers: Answers, port = 0): Promise<{ server: Server; port: number; asked: string[]; stop(): Promise<void> }> {
  const asked: string[] = []
  const server = createServer(async (request, response) => {
    const path = `${request.url}${await question(request)}`
    asked.push(path)
    const answer = answers[path]
    if (answer === null) return
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json', connection: 'close' })
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer ?? {}))
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  running.push(server)
  const stop = async () => {
    running.splice(running.indexOf(server), 1)
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  return { server, port: (server.address() as AddressInfo).port, asked, stop }
}

async function question(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const piece of request) body += piece
  return body && ` ${JSON.parse(body).model}`
}

function server(name: string, port: number, own: Partial<LocalServer> = {}): LocalServer {
  const like = shipped.find((provider) => provider.name === name) ?? shipped.find((provider) => provider.name === 'custom')
  const origin = `http://127.0.0.1:${port}`
  const list = name === 'ollama' ? 'ollama' : 'openai'
  return {
    name,
    origin,
    baseUrl: `${origin}/v1`,
    list,
    key: undefined,
    display_name: name,
    contextLimit: 4096,
    like: like as LocalServer['like'],
    ...own,
  }
}

/** `next` resolves with what is told from now on. */
function watch(servers: LocalServer[], timeoutMs = 2_000) {
  const told: Known[] = []
  let waiting: (() => void) | undefined
  const discovery = startDiscovery({
    servers,
    pollMs: 10,
    timeoutMs,
    onChange(found) {
      told.push(found)
      waiting?.()
    },
  })
  running.push(discovery)
  return {
    told,
    async next(): Promise<Known> {
      if (told.length === 0) await new Promise<void>((resolve) => (waiting = resolve))
      return told.shift() as Known
    },
  }
}
const names = ({ providers }: Known) => providers.map(({ name, models }) => [name, models.map(({ id }) => id)])
const openaiList = { '/v1/models': { object: 'list', data: [{ id: 'qwen3-8b', object: 'model', max_model_len: 32_768 }] } }

describe('a server of this machine', () => {
  it.each(['llamacpp', 'lmstudio', 'vllm', 'custom'])('%s is offered with its models when it answers', async (name) => {
    const { port } = await serve(openaiList)
    const { providers } = await watch([server(name, port)]).next()
    expect(providers).toMatchObject([
      {
        name,
        base_url: `http://127.0.0.1:${port}/v1`,
        needs_key: false,
        enabled: true,
        models: [{ id: 'qwen3-8b', context_window: 32_768, enabled: true }],
      },
    ])
  })

  it('Ollama is asked what each of its models can do, once', async () => {
    const { port, asked } = await serve({
      '/api/tags': {
        models: [
          { name: 'llama3.2:latest', digest: 'a' },
          { name: 'qwen3:8b', digest: 'b' },
        ],
      },
      '/api/show llama3.2:latest': { capabilities: ['completion', 'vision'], model_info: { 'llama.context_length': 2048 } },
    })
    const found = await watch([server('ollama', port)]).next()
    expect(found.providers[0]?.models).toMatchObject([
      { id: 'llama3.2', capabilities: ['chat', 'json_schema', 'vision'], context_window: 2048 },
      { id: 'qwen3:8b', capabilities: ['chat', 'tools', 'json_schema'], context_window: 4096 },
    ])
    expect(found.aliases).toEqual([['ollama/llama3.2:latest', 'ollama/llama3.2']])
    while (asked.filter((path) => path === '/api/tags').length < 3) await new Promise((resolve) => setImmediate(resolve))
    expect(asked.filter((path) => path === '/api/show llama3.2:latest')).toHaveLength(1)
  })

  it('that lists a model several times, as proxies do, is offered with it once', async () => {
    const { port } = await serve({ '/v1/models': { data: [{ id: 'a' }, { id: 'b' }, { id: 'a' }] } })
    expect(names(await watch([server('custom', port)]).next())).toEqual([['custom', ['a', 'b']]])
  })

  it('is withdrawn when it stops, and offered again when it is back', async () => {
    const first = await serve(openaiList)
    const { next } = watch([server('vllm', first.port)])
    expect(names(await next())).toEqual([['vllm', ['qwen3-8b']]])
    await first.stop()
    expect(names(await next())).toEqual([])
    await serve(openaiList, first.port)
    expect(names(await next())).toEqual([['vllm', ['qwen3-8b']]])
  })

  it('is offered with what it has now', async () => {
    const answers: Answers = structuredClone(openaiList)
    const { port } = await serve(answers)
    const { next } = watch([server('lmstudio', port)])
    await next()
    answers['/v1/models'] = { data: [{ id: 'other' }] }
    expect(names(await next())).toEqual([['lmstudio', ['other']]])
    answers['/v1/models'] = { data: [] }
    expect(names(await next())).toEqual([])
  })

  it('is given some patience when it is busy, but not for ever', async () => {
    const answers: Answers = structuredClone(openaiList)
    const { port, asked } = await serve(answers)
    const { next } = watch([server('vllm', port)], 50)
    await next()
    answers['/v1/models'] = null
    const before = asked.length
    expect(names(await next())).toEqual([])
    expect(asked.length - before).toBeGreaterThanOrEqual(2)
  })

  it('is not hidden by one that never answers', async () => {
    const [silent, prompt] = [await serve({ '/v1/models': null }), await serve(openaiList)]
    const { next } = watch([server('llamacpp', silent.port), server('vllm', prompt.port)], 100)
    expect(names(await next())).toEqual([['vllm', ['qwen3-8b']]])
  })

  it.each([
    ['a web site', { '/v1/models': '<html>' }],
    ['a freeway', { '/v1/models': { data: [{ id: 'freeai-auto', owned_by: 'freeway' }] } }],
    ['nothing', {}],
  ])('is not %s', async (_, answers) => {
    const other = await serve(answers)
    const { port } = await serve(openaiList)
    const { next } = watch([server('llamacpp', other.port), server('vllm', port)])
    expect(names(await next())).toEqual([['vllm', ['qwen3-8b']]])
  })

  it('that asks for a key gets it', async () => {
    const keys: (string | undefined)[] = []
    const { server: http, port } = await serve(openaiList)
    http.prependListener('request', ({ headers }) => keys.push(headers.authorization))
    await watch([server('custom', port, { key: 'sk-1' })]).next()
    expect(keys[0]).toBe('Bearer sk-1')
  })

  it('is asked no more after the end, even in the middle of an answer', async () => {
    const { port, asked } = await serve({ '/v1/models': null })
    const discovery = startDiscovery({ servers: [server('vllm', port)], onChange() {}, pollMs: 1, timeoutMs: 60_000 })
    while (asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await discovery.close()
    expect(asked).toHaveLength(1)
  })
})
