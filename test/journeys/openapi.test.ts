// The description of the interface, held against the gateway that gives it: it is valid, it tells of every route, and every answer is
// one of those that it tells of.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Gateway, keyHash, startGateway } from '#test/support/gateway.ts'
import { compile, type Described, describedIn, type Json, type OpenApi, openApi, referencesIn, resolve } from '#test/support/openapi.ts'

const KEY = 'fw-openapi-journey-key'
const ADMIN = randomBytes(24).toString('base64url')
const SITE = 'site-key-of-this-journey'
const key_hash = keyHash(KEY)
const client = { name: 'app', key_hash, rpm_limit: 10_000, daily_limit: 10_000, max_concurrency: 100 }
/** Repeats of others under the names by which some clients know them. */
const repeats = ['request-id', 'x-trace-id']

let gateway: Gateway
let document: OpenApi
let operations: Described[]

beforeAll(async () => {
  gateway = await startGateway({
    config: { clients: [client] },
    env: { FREEWAY_DEMO: 'on', FREEWAY_ADMIN_TOKEN: ADMIN, SITE_KEY: SITE },
  })
  document = (await (await fetch(`${gateway.url}/openapi.json`)).json()) as OpenApi
  operations = describedIn(document)
})
afterAll(() => gateway?.[Symbol.asyncDispose]())

describe('the document', () => {
  it('is what OpenAPI 3.1 allows, and nothing else', () => {
    expect(openApi.safeParse(document).error?.issues ?? []).toEqual([])
  })

  it('leaves no route undescribed', () => {
    expect(operations.filter(({ operation }) => operation.tags.includes('Other')).map(({ operation }) => operation.summary)).toEqual([])
    expect(operations.length).toBeGreaterThan(70)
  })

  it('refers to nothing that is not there', () => {
    expect([...new Set(referencesIn(document))].filter((ref) => resolve(document, { $ref: ref }) === undefined)).toEqual([])
  })

  it('names every operation once, with a tag and security schemes that are explained', () => {
    const ids = operations.map(({ operation }) => operation.operationId)
    expect(ids.filter((id, i) => ids.indexOf(id) !== i)).toEqual([])
    const used = { tags: operations.flatMap(({ operation }) => operation.tags), schemes: schemesOf(operations) }
    expect(new Set(used.tags)).toEqual(new Set(document.tags.map(({ name }) => name)))
    expect(new Set(used.schemes)).toEqual(new Set(Object.keys(document.components.securitySchemes)))
  })

  it('explains exactly the parameters that stand in a path', () => {
    for (const { path, operation } of operations) {
      const inPath = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name)
      const parameters = (operation.parameters ?? []).map((one) => resolve(document, one) as Json)
      expect(
        parameters.filter((one) => one.in === 'path').map(({ name }) => name),
        path,
      ).toEqual(inPath)
    }
  })

  it('holds schemas that compile, and examples that fit them', () => {
    for (const name of Object.keys(document.components.schemas)) compile(document, { $ref: `#/components/schemas/${name}` })
    for (const { path, operation } of operations) {
      const answers = Object.values(operation.responses).map((one) => resolve(document, one) as { content?: Json })
      for (const { content } of [operation.requestBody ?? {}, ...answers]) {
        for (const [type, { schema, example }] of Object.entries(content ?? {}) as [string, { schema?: Json; example?: unknown }][]) {
          if (example === undefined || !schema) continue
          expect(compile(document, schema).safeParse(example).error?.issues ?? [], `${path} ${type}`).toEqual([])
        }
      }
    }
  })
})

function schemesOf(all: readonly Described[]): string[] {
  return all.flatMap(({ operation }) => operation.security.flatMap((one) => Object.keys(one)))
}

/** What a request says to be let in, by the scheme that its operation names first. */
function credentials({ operation }: Described): Record<string, string> {
  const scheme = Object.keys(operation.security[0] ?? {})[0]
  if (scheme === undefined) return {}
  if (scheme === 'adminToken') return { 'x-admin-token': ADMIN }
  return { authorization: `Bearer ${scheme === 'siteKey' ? SITE : KEY}` }
}

/** Calls an operation and holds the answer against what is told of it. */
async function call(
  one: Described,
  path: string,
  init: { headers: Record<string, string>; body?: string },
): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${gateway.url}${path}`, { method: one.method.toUpperCase(), ...init })
  const what = `${one.method} ${path} → ${response.status}`
  const text = await response.text()
  const told = resolve(document, one.operation.responses[response.status]) as
    | { content?: Record<string, { schema?: Json }>; headers?: Json }
    | undefined
  expect(told, `${what} is not described: ${text.slice(0, 300)}`).toBeDefined()
  expect(response.headers.get('x-request-id'), what).toBeTruthy()
  const headers = [...response.headers.keys()].filter((name) =>
    /^x-(freeway|ratelimit|concurrency|dailylimit|trace)-|^request-id$/.test(name),
  )
  const explained = [...Object.keys(told?.headers ?? {}), ...repeats]
  if (response.ok)
    expect(
      headers.filter((name) => !explained.includes(name)),
      what,
    ).toEqual([])
  const type = response.headers.get('content-type')?.split(';')[0] ?? ''
  expect(Object.keys(told?.content ?? {}), what).toContain(type)
  const schema = told?.content?.[type]?.schema
  const values = type === 'text/event-stream' ? eventsIn(text) : type === 'application/json' ? [JSON.parse(text)] : []
  const parsed = compile(document, schema ?? {}, true)
  for (const value of values)
    expect(parsed.safeParse(value).error?.issues ?? [], `${what}: ${JSON.stringify(value).slice(0, 500)}`).toEqual([])
  return { status: response.status, body: values.at(-1) }
}

function eventsIn(text: string): unknown[] {
  return [...text.matchAll(/^data: (?!\[DONE\])(.*)$/gm)].map(([, data]) => JSON.parse(data as string))
}

const exampleOf = ({ operation }: Described) => operation.requestBody?.content['application/json']?.example
const asJson = (value: unknown) => JSON.stringify(value)
const withBody = (headers: Record<string, string>, body: string) => ({ headers: { ...headers, 'content-type': 'application/json' }, body })
const filled = (path: string, values: Record<string, string> = {}) =>
  path.replace(/\{([^}]+)\}/g, (_, name: string) => values[name] ?? 'nothing-like-it')
const asDescribed = (one: Described) =>
  one.method === 'get' ? { headers: credentials(one) } : withBody(credentials(one), asJson(exampleOf(one) ?? {}))
const named = (id: string) => operations.find(({ operation }) => operation.operationId === id) as Described

describe('what the gateway answers', () => {
  it('to whoever has no key is described, for every route', async () => {
    for (const one of operations.filter(({ operation }) => operation.security.length > 0)) {
      const { status } = await call(one, filled(one.path), { headers: {} })
      expect(status, one.path).toBe(401)
    }
  })

  it('to a body that is no JSON is described, for every route that takes one', async () => {
    for (const one of operations.filter(({ operation }) => operation.requestBody)) {
      const { status } = await call(one, filled(one.path), withBody(credentials(one), '{"model": '))
      expect(status, one.path).toBeGreaterThanOrEqual(400)
    }
  })

  it('to something that does not exist is described, for every route that names one', async () => {
    for (const one of operations.filter(({ path }) => path.includes('{'))) {
      const { status } = await call(one, filled(one.path), asDescribed(one))
      expect(status, one.path).toBeLessThan(500)
    }
  })

  it.each(['POST', 'stream'])('to clients is described in every format (%s)', async (how) => {
    const streamed = how === 'stream' ? { stream: true } : {}
    for (const id of ['createChatCompletion', 'createMessage', 'createResponse', 'createCompletion', 'phpChat']) {
      const { status } = await perform(id, {}, { ...(exampleOf(named(id)) as Json), stream: false, ...streamed })
      expect(status, id).toBe(200)
    }
  })

  it('of media, and to questions about a request, is described', async () => {
    for (const id of ['countMessageTokens', 'countResponseTokens', 'createEmbedding', 'createImage', 'createSpeech']) {
      expect((await perform(id)).status, id).toBe(200)
    }
    expect((await perform('createSpeech', {}, { input: 'Hello', voice: 'alloy', stream_format: 'sse' })).status).toBe(200)
    expect((await perform('compactResponse', {}, { model: 'freeai-auto', input: 'Hello.' })).status).toBe(200)
  })

  it('about a response that is kept is described', async () => {
    const { body } = await perform('createResponse', {}, { input: 'Hello.', background: true })
    const response_id = (body as { id: string }).id
    for (const id of ['retrieveResponse', 'listResponseInputItems', 'cancelResponse', 'deleteResponse']) {
      expect((await perform(id, { response_id })).status, id).toBe(200)
    }
  })

  it('to an admin who looks around is described', async () => {
    for (const { operation, method, path } of operations) {
      const asks = method === 'get' && !path.includes('{') && !['getChallenge', 'watchLive'].includes(operation.operationId)
      if (asks) expect((await perform(operation.operationId)).status, path).toBe(200)
    }
    expect((await perform('retrieveModel', { model: 'freeai-auto' })).status).toBe(200)
  })

  it('to an admin who watches is described, as far as it has come', async () => {
    const live = named('watchLive')
    const leaving = new AbortController()
    const response = await fetch(`${gateway.url}${live.path}`, { headers: credentials(live), signal: leaving.signal })
    const { content } = resolve(document, live.operation.responses['200']) as { content: Record<string, { schema: Json }> }
    const [[type, { schema } = {}] = []] = Object.entries(content)
    expect(response.headers.get('content-type')).toContain(type)
    await perform('createChatCompletion')
    let text = ''
    for await (const part of response.body as ReadableStream<Uint8Array>) {
      text += new TextDecoder().decode(part)
      if (/^event: request_ended$[\s\S]*?\n\n/m.test(text)) break
    }
    leaving.abort()
    const told = eventsIn(text.slice(0, text.lastIndexOf('\n\n')))
    for (const event of told) expect(compile(document, schema, true).safeParse(event).error?.issues ?? []).toEqual([])
  })

  it('to an admin who changes clients, bans and rules is described', async () => {
    const { key_hash = '' } = (await perform('createClient')).body as Record<string, string>
    await all(['retrieveClient', 'changeClient'], { key_hash })
    const rotated = (await perform('rotateClient', { key_hash })).body as { key_hash: string }
    await all(['revokeClient'], { key_hash: rotated.key_hash })
    await perform('createMember')
    await all(['listMembers', 'retrieveMember', 'changeMember', 'removeMember'], { owner: 'ada' })
    const { id = '' } = (await perform('addBan')).body as Record<string, string>
    await all(['listBans', 'retrieveBan', 'changeBan', 'liftBan'], { id })
    await perform('addTier')
    await all(['listTiers', 'changeTiers', 'removeTier'], { model: 'groq%2Fllama-3.3-70b-versatile' })
    await all(['changeSettings', 'resetSettings', 'listAudit'])
  })

  it('to an admin who changes providers and routing is described', async () => {
    expect((await perform('addProvider')).status).toBe(201)
    const name = 'mine'
    await all(['retrieveProvider', 'changeProvider', 'listProviderModels', 'testProvider', 'resetProvider', 'removeProvider'], { name })
    await all(['setAlias', 'listAliases', 'removeAlias'], { alias: 'my/name' })
    expect((await perform('addStrategy')).status).toBe(201)
    await all(['previewStrategy', 'listStrategies', 'changeStrategy', 'removeStrategy'], { name: 'my_mix' })
    await all(['setDefaultStrategy', 'setFallback', 'getConfig', 'listTags'])
  })
})

/** By the example of its description, unless told otherwise. */
async function perform(id: string, values: Record<string, string> = {}, body?: unknown): Promise<{ status: number; body: unknown }> {
  const one = named(id)
  if (!one) throw new Error(`no operation ${id}`)
  const sent = body ?? exampleOf(one)
  const init = sent === undefined ? { headers: credentials(one) } : withBody(credentials(one), asJson(sent))
  return call(one, filled(one.path, values), init)
}

async function all(ids: string[], values: Record<string, string> = {}): Promise<void> {
  for (const id of ids) expect((await perform(id, values)).status, id).toBe(200)
}
