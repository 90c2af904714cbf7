// The description of the interface as OpenAPI 3.1 has it: the table of paths, and what the operations say of each.

import type { Route } from '../routes.ts'
import { answerHeaders, headerNames, headers, limitHeaders, parameters, security, securitySchemes } from './common.ts'
import { refusalName, refusalResponses, refusals } from './errors.ts'
import { type Answer, type Content, EVENTS_TYPE, type Operation, tags } from './operation.ts'
import { operations } from './operations.ts'
import { components, inline, type JsonSchema, reference } from './schemas.ts'

export interface DocumentOptions {
  routes: readonly Route[]
  version: string
}

/** Only what a route serves is told. */
export function createDocument({ routes, version }: DocumentOptions): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {}
  const used = new Set<string>()
  const told = operations.map((operation) => ({ operation, route: routeOf(operation, routes) }))
  const untold = routes.filter((one) => !told.some(({ route }) => route?.path === one.path && route.method === one.method))
  for (const { operation, route } of [...told, ...untold.map(bare)]) {
    if (!route) continue
    used.add(operation.tag)
    paths[operation.path] = { ...paths[operation.path], [operation.method.toLowerCase()]: describe(operation, route) }
  }
  const responses = refusalResponses()
  return {
    openapi: '3.1.1',
    info: {
      title: 'freeway',
      version,
      description:
        'One key, one URL, every free tier. Clients speak OpenAI, Anthropic or one of the older formats; freeway picks a provider that still has free quota, and moves on to the next when one fails.\n\n' +
        'Unknown fields of a request are ignored. Every answer carries `x-request-id`. While a gateway on this machine has no client yet, its routes for clients need no key.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This gateway' }],
    tags: Object.entries(tags).flatMap(([name, description]) => (used.has(name) ? [{ name, description }] : [])),
    paths,
    components: { schemas: components(), responses, headers, parameters, securitySchemes },
  }
}

/** The route that serves it: the one of its very path, else the one whose `*` leaves least open. */
export function routeOf({ method, path }: Pick<Operation, 'method' | 'path'>, routes: readonly Route[]): Route | undefined {
  const fitting = routes.filter((route) => route.method === method && fits(route.path, path))
  return fitting.sort((a, b) => Number(b.path === path) - Number(a.path === path) || b.path.length - a.path.length)[0]
}

/** Of a route that nobody has described: that it is there. */
function bare(route: Route): { operation: Operation; route: Route } {
  const path = route.path.replace('*', '{rest}')
  const id = `${route.method} ${route.path}`
  const params: Record<string, string> = route.path.endsWith('*') ? { rest: 'What follows.' } : {}
  return {
    operation: {
      method: route.method,
      path,
      id,
      tag: 'Other',
      summary: id,
      params,
      answers: { 200: { about: 'Its answer.', content: {} } },
    },
    route,
  }
}

/** Where the route ends in `*`, the path goes on with a parameter. */
function fits(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(`${pattern.slice(0, -1)}{`) : path === pattern
}

function describe(operation: Operation, route: Route): JsonSchema {
  const { id, tag, summary, description, body, answers, path } = operation
  const told = Object.entries(answers).map(([status, answer]) => [status, success(operation, answer, route)])
  const refused = refusals(operation, route.access).map((status) => [
    status,
    { $ref: `#/components/responses/${refusalName(path, status)}` },
  ])
  const given = parametersOf(operation)
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    security: security[route.access],
    ...(given.length > 0 && { parameters: given }),
    ...(body && {
      requestBody: {
        ...(body.about !== undefined && { description: body.about }),
        required: body.required ?? true,
        content: contentOf(body.content, 'input', `${capital(id)}Request`),
      },
    }),
    responses: Object.fromEntries([...told, ...refused]),
  }
}

function success({ id, inference }: Operation, { about, content }: Answer, { access }: Route): JsonSchema {
  const names = ['RequestId', ...(access === 'key' ? limitHeaders : []), ...(inference ? answerHeaders : [])]
  return {
    description: about,
    headers: Object.fromEntries(names.map((name) => [headerNames[name], { $ref: `#/components/headers/${name}` }])),
    ...(Object.keys(content).length > 0 && { content: contentOf(content, 'output', `${capital(id)}Answer`) }),
  }
}

function contentOf(content: Record<string, Content>, io: 'input' | 'output', otherwise: string): JsonSchema {
  return Object.fromEntries(
    Object.entries(content).map(([type, { schema, example }]) => {
      const fallback = type === EVENTS_TYPE ? `${otherwise}Event` : otherwise
      return [type, { ...(schema && { schema: reference(io, schema, fallback) }), ...(example !== undefined && { example }) }]
    }),
  )
}

function parametersOf({ params = {}, query = {}, inference }: Operation): JsonSchema[] {
  return [
    ...Object.entries(params).map(([name, description]) => ({ name, in: 'path', required: true, description, schema: { type: 'string' } })),
    ...Object.entries(query).map(([name, { schema, about, required = false }]) => ({
      name,
      in: 'query',
      required,
      description: about,
      schema: inline(schema),
    })),
    ...(inference ? Object.keys(parameters).map((name) => ({ $ref: `#/components/parameters/${name}` })) : []),
  ]
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
