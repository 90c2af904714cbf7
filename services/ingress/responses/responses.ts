// The routes of OpenAI's Responses: one that answers, and those that come back to what was kept.

import type { Backbone } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import { buckets } from '#contracts/subjects.ts'
import { readRequest } from '#contracts/wire/responses/request.ts'
import { type InputItem, parseRequest } from '#contracts/wire/responses/shape.ts'
import type { Logger } from '#services/logger.ts'
import type { Access } from '../access/access.ts'
import type { Caller } from '../access/gate.ts'
import { STREAM_HEADERS } from '../delivery.ts'
import { type ExchangeOptions, exchange } from '../exchange.ts'
import { type Memory, responses } from '../formats/responses.ts'
import { readBody } from '../front.ts'
import { withRequestId } from '../request-id.ts'
import { json, respond } from '../respond.ts'
import type { Route } from '../routes.ts'
import { runInBackground } from './background.ts'
import { compact } from './compact.ts'
import { follow } from './follow.ts'
import { recall, storeDown, withIds } from './recall.ts'
import { replay } from './replay.ts'
import { openRuns } from './runs.ts'
import { type Kept, openResponseStore } from './store.ts'
import { createWatcher } from './watch.ts'

/** How long the end of an answer may wait for the store. */
const KEEP_MS = 1_000

export interface ResponsesOptions {
  backbone: Backbone
  instance: string
  logger: Logger
  access: Access
  serving: ExchangeOptions
}

export interface Responses {
  routes: Route[]
  close(): Promise<void>
}

export async function openResponses({ backbone, instance, logger, access, serving }: ResponsesOptions): Promise<Responses> {
  const { bus } = backbone
  const store = openResponseStore(await backbone.keyValue(buckets.responses))
  const watcher = createWatcher({ bus, store })
  const runs = openRuns({ bus, instance, store, logger })

  const memoryOf = (owner: string): Memory => ({
    recall: (request) => recall(request, owner, store),
    async keep(id, items, context, response) {
      try {
        const head = { v: 1 as const, owner, background: false, over: true }
        const body = { response: JSON.parse(response), items: withIds(items, id), context }
        return await within(
          KEEP_MS,
          store.save(id, head, body, 0, 'a').then((revision) => revision !== undefined),
        )
      } catch (error) {
        logger.warn('a response could not be kept', { response: id, error })
        return false
      }
    },
  })

  async function create(request: Request): Promise<Response> {
    const owner = ownerOf(request)
    const body = await readBody(request)
    const parsed = parseRequest(body)
    if (parsed.background !== true) return exchange(request, '/v1/responses', responses(parsed, memoryOf(owner)), serving, body)
    if (parsed.store === false) {
      throw new FreewayError('invalid_request_error', 'background: needs store, because the response is fetched later', {
        param: 'background',
      })
    }
    const id = await runInBackground(request, parsed, { owner, serving, runs, recalled: await recall(parsed, owner, store) })
    const answer = parsed.stream === true ? stream(follow(id, -1, { store, watcher })) : json((await find(id, owner)).body.response)
    return withRequestId(answer, request.headers)
  }

  async function retrieve(request: Request, path: string): Promise<Response> {
    const [id = '', what] = path.split('/')
    const query = new URL(request.url).searchParams
    const kept = await watched(id, ownerOf(request))
    if (what === 'input_items') return json(listItems([...kept.body.context, ...kept.body.items], query))
    if (what !== undefined) throw unknownRoute()
    if (query.get('stream') !== 'true') return json(kept.body.response)
    const after = readNumber(query, 'starting_after', -1)
    return stream(kept.head.background ? follow(id, after, { store, watcher }) : replay(kept.body.response, after))
  }

  async function remove(request: Request, path: string): Promise<Response> {
    const kept = await watched(path, ownerOf(request))
    if (!kept.head.over) await watcher.cancel(path, kept)
    await store.remove(path).catch((cause) => Promise.reject(storeDown(cause)))
    return json({ id: path, object: 'response', deleted: true })
  }

  async function post(request: Request, path: string): Promise<Response> {
    const [id = '', what, more] = path.split('/')
    if (what !== 'cancel' || more !== undefined) throw unknownRoute()
    const kept = await find(id, ownerOf(request))
    if (!kept.head.background) {
      throw new FreewayError('invalid_request_error', 'only responses that were created with background=true can be cancelled', {
        param: 'response_id',
      })
    }
    return json((await watcher.cancel(id, kept)).body.response)
  }

  async function countTokens(request: Request): Promise<Response> {
    const parsed = parseRequest(await readBody(request))
    const { job } = readRequest(parsed, await recall(parsed, ownerOf(request), store))
    return json({ object: 'response.input_tokens', input_tokens: Math.max(1, job.estimate.in) })
  }

  const compactInput = (request: Request) => compact(request, serving, (parsed) => recall(parsed, ownerOf(request), store))

  /** Rejects with 404 for what is not there, and for what is somebody else's, in the same words. */
  async function find(id: string, owner: string): Promise<Kept> {
    const kept = await store.load(id).catch((cause) => Promise.reject(storeDown(cause)))
    if (kept?.head.owner === owner) return kept
    throw new FreewayError('invalid_request_error', `Response with id '${id.slice(0, 64)}' not found.`, {
      status: 404,
      code: 'not_found',
      param: 'response_id',
    })
  }

  async function watched(id: string, owner: string): Promise<Kept> {
    return watcher
      .look(id, await find(id, owner))
      .catch((cause) => Promise.reject(cause instanceof FreewayError ? cause : storeDown(cause)))
  }

  function ownerOf(request: Request): string {
    return ownerName(access.callerOf(request))
  }

  const key = (method: Route['method'], path: string, handle: Route['handle']): Route => ({ method, path, access: 'key', handle })
  return {
    routes: [
      { ...key('POST', '/v1/responses', create), identified: true },
      key('POST', '/v1/responses/input_tokens', countTokens),
      { ...key('POST', '/v1/responses/compact', compactInput), identified: true },
      key('GET', '/v1/responses/*', retrieve),
      key('DELETE', '/v1/responses/*', remove),
      key('POST', '/v1/responses/*', post),
    ],
    close: () => runs.close(),
  }
}

function ownerName(caller: Caller | undefined): string {
  return caller?.kind === 'client' ? `client ${caller.account.id}` : (caller?.kind ?? 'nobody')
}

/** Also what has no length yet: the headers of any event stream. */
function stream(body: ReadableStream<Uint8Array>): Response {
  return respond(200, STREAM_HEADERS, body)
}

export function listItems(items: InputItem[], query: URLSearchParams): object {
  const limit = readNumber(query, 'limit', 20)
  const order = query.get('order') ?? 'desc'
  if (limit < 1 || limit > 100) throw badQuery('limit', 'expected a number from 1 to 100')
  if (order !== 'asc' && order !== 'desc') throw badQuery('order', 'expected asc or desc')
  const sorted = order === 'asc' ? items : items.toReversed()
  const after = query.get('after')
  const from = after === null ? 0 : sorted.findIndex(({ id }) => id === after) + 1
  if (after !== null && from === 0) throw badQuery('after', 'no such item')
  const data = sorted.slice(from, from + limit)
  return { object: 'list', data, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null, has_more: from + limit < sorted.length }
}

function readNumber(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name)
  if (text === null) return otherwise
  if (!/^\d{1,9}$/.test(text)) throw badQuery(name, 'expected a number')
  return Number(text)
}

function badQuery(name: string, expected: string): FreewayError {
  return new FreewayError('invalid_request_error', `${name}: ${expected}`, { param: name })
}

function unknownRoute(): FreewayError {
  return new FreewayError('invalid_request_error', 'unknown route', { status: 404 })
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`not done within ${ms} ms`)), ms)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}
