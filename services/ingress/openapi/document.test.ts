import { describe, expect, it } from 'vitest'
import type { Route } from '../routes.ts'
import { createDocument, routeOf } from './document.ts'

type Told = { tags: string[]; security: object[]; parameters?: { name: string }[]; responses: Record<string, { $ref?: string }> }
type Paths = Record<string, Record<string, Told>>

const route = (method: Route['method'], path: string, access: Route['access'] = 'public'): Route => ({
  method,
  path,
  access,
  handle: () => new Response(),
})
const pathsOf = (...routes: Route[]) => createDocument({ routes, version: '1.2.3' }).paths as Paths

describe('the document', () => {
  it('tells what is in the table, and nothing else', () => {
    expect(pathsOf()).toEqual({})
    expect(Object.keys(pathsOf(route('GET', '/health')))).toEqual(['/health'])
  })

  it('tells each path behind a route that ends in a star', () => {
    const paths = pathsOf(route('GET', '/v1/responses/*', 'key'), route('POST', '/v1/responses/*', 'key'))
    expect(Object.entries(paths).map(([path, item]) => [path, Object.keys(item)])).toEqual([
      ['/v1/responses/{response_id}', ['get']],
      ['/v1/responses/{response_id}/input_items', ['get']],
      ['/v1/responses/{response_id}/cancel', ['post']],
    ])
  })

  it('takes from the table who may call', () => {
    const asked = (access: Route['access']) => pathsOf(route('GET', '/v1/models', access))['/v1/models']?.get?.security.flatMap(Object.keys)
    expect(asked('public')).toEqual([])
    expect(asked('key')).toContain('clientKey')
    expect(asked('admin')).toEqual(['adminToken', 'adminBearer'])
    expect(asked('stats')).toContain('siteKey')
  })

  it('tells of a route that nobody has described that it is there', () => {
    const told = pathsOf(route('PUT', '/new/*', 'admin'))['/new/{rest}']?.put
    expect(told?.tags).toEqual(['Other'])
    expect(told?.parameters?.map(({ name }) => name)).toEqual(['rest'])
  })

  it('tells refusals in the words of the family', () => {
    const paths = pathsOf(
      route('POST', '/v1/messages', 'key'),
      route('POST', '/v1/chat/completions', 'key'),
      route('POST', '/api/chat.php', 'key'),
    )
    const families = Object.values(paths).map(({ post }) => post?.responses['429']?.$ref)
    expect(families.toSorted()).toEqual(['Error429', 'MessagesError429', 'PhpError429'].map((name) => `#/components/responses/${name}`))
  })
})

describe('an operation', () => {
  it.each([
    ['/v1/models/full', '/v1/models/full'],
    ['/v1/models/{model}', '/v1/models/*'],
    ['/v1/models', '/v1/models'],
    ['/v1/models/random', undefined],
    ['/v1/modelsx', undefined],
  ])('%s is served by %s', (path, served) => {
    const table = ['/v1/models', '/v1/models/*', '/v1/models/full'].map((one) => route('GET', one))
    expect(routeOf({ method: 'GET', path }, table)?.path).toBe(served)
    expect(routeOf({ method: 'POST', path }, table)).toBeUndefined()
  })
})
