// Whatever is sent to the routes of Responses, the answer is one of the documented ones: never a 500, never silence.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'

const setup = setUpGateway()

const ANSWER_MS = 5_000

async function answer(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${setup.gateway.url}${path}`, {
    method,
    ...(body !== undefined && { body }),
    headers: { 'content-type': 'application/json' },
    signal: AbortSignal.timeout(ANSWER_MS),
  })
  return { status: response.status, text: await response.text() }
}

function expectDocumented({ status, text }: { status: number; text: string }): void {
  expect([200, 400, 404, 405]).toContain(status)
  if (status !== 200)
    expect(JSON.parse(text).error).toEqual({
      message: expect.any(String),
      type: 'invalid_request_error',
      code: expect.any(String),
      param: expect.toBeOneOf([null, expect.any(String)]),
    })
}

const valid = {
  model: 'alpha/m-large',
  input: [
    { role: 'developer', content: 'Be brief.' },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'Hello' },
        { type: 'input_image', image_url: 'data:image/png;base64,AA==', detail: 'low' },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }] },
    { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: [{ type: 'input_text', text: 'done' }] },
    { role: 'user', content: 'Go on.' },
  ],
  instructions: 'x',
  tools: [
    { type: 'function', name: 'f', parameters: { type: 'object' } },
    { type: 'namespace', name: 'ns', tools: [{ type: 'custom', name: 'g', format: { type: 'text' } }] },
    { type: 'web_search' },
  ],
  tool_choice: { type: 'allowed_tools', mode: 'auto', tools: [{ type: 'function', name: 'f' }] },
  text: { format: { type: 'json_schema', name: 'n', schema: { type: 'object' } }, verbosity: 'low' },
  reasoning: { effort: 'low', summary: 'auto' },
  previous_response_id: null,
  background: false,
  stream: false,
  store: true,
  include: [],
  metadata: {},
}

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
/** Every place in a value, as a path of keys. */
const placesIn = (value: unknown): (string | number)[][] =>
  typeof value !== 'object' || value === null
    ? [[]]
    : [
        [],
        ...Object.entries(value).flatMap(([key, inner]) =>
          placesIn(inner).map((path) => [Array.isArray(value) ? Number(key) : key, ...path]),
        ),
      ]

function withChange(value: Json, [key, ...rest]: (string | number)[], change: Json | undefined): Json | undefined {
  if (key === undefined) return change
  const copy = structuredClone(value) as Record<string | number, Json | undefined>
  copy[key] = withChange(copy[key] as Json, rest, change)
  return copy as Json
}

it('a body that is changed in any place is answered or refused', async () => {
  expect((await answer('POST', '/v1/responses', JSON.stringify(valid))).status).toBe(200)
  const change = fc.oneof(
    fc.constant(undefined),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
    fc.constantFrom<Json>('', -1, 1e300, [], {}, [null], [[]], 'auto'),
  )
  const changes = fc.array(fc.tuple(fc.constantFrom(...placesIn(valid)), change), { minLength: 1, maxLength: 3 })
  const paths = fc.constantFrom('/v1/responses', '/v1/responses', '/v1/responses', '/v1/responses/input_tokens', '/v1/responses/compact')
  await fc.assert(
    fc.asyncProperty(paths, changes, async (path, all) => {
      const body = all.reduce<Json | undefined>(
        (value, [place, to]) => {
          try {
            return withChange(value as Json, place, to)
          } catch {
            return value // the place went with an earlier change
          }
        },
        valid as unknown as Json,
      )
      expectDocumented(await answer('POST', path, JSON.stringify(body) ?? ''))
    }),
    { numRuns: 150 },
  )
  expect(setup.gateway.log.filter(({ level }) => level === 'error')).toEqual([])
}, 60_000)

it('any id is looked for and not found', async () => {
  const ids = fc.oneof(
    fc.webPath().map((path) => path.slice(1)),
    fc.stringMatching(/^[A-Za-z0-9_.%*>-]{1,60}$/),
    fc.constantFrom('resp_', 'resp_x/cancel', 'resp_*/input_items', '*', '>', 'a.b/input_items?limit=x'),
  )
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('GET', 'DELETE', 'POST'), ids, async (method, id) => {
      const { status, text } = await answer(method, `/v1/responses/${id}`, method === 'POST' ? '{}' : undefined)
      expect([400, 404, 405]).toContain(status)
      expect(JSON.parse(text).error.type).toBe('invalid_request_error')
    }),
    { numRuns: 100 },
  )
}, 60_000)

it.each(['limit=0', 'limit=101', 'limit=x', 'order=up', 'after=nobody'])('items are not listed with %s', async (query) => {
  const { text } = await answer('POST', '/v1/responses', JSON.stringify({ model: 'alpha/m-large', input: 'Hello' }))
  expect((await answer('GET', `/v1/responses/${JSON.parse(text).id}/input_items?${query}`)).status).toBe(400)
})
