// For people and probes.

import { z } from 'zod'
import { gives, type Operation } from '../operation.ts'

const tag = 'Health'
const ready = z.object({ status: z.enum(['ready', 'not_ready']), missing: z.array(z.string()), version: z.string() })

export const healthOperations: Operation[] = [
  {
    method: 'GET',
    path: '/',
    id: 'about',
    tag,
    summary: 'What this is',
    answers: gives(
      'Name, version, and where the API begins.',
      z.looseObject({ name: z.literal('freeway'), version: z.string(), api: z.string() }),
    ),
  },
  {
    method: 'GET',
    path: '/health',
    id: 'health',
    tag,
    summary: 'Whether the process lives',
    answers: gives('It does.', z.object({ status: z.literal('ok'), version: z.string() })),
  },
  {
    method: 'GET',
    path: '/ready',
    id: 'ready',
    tag,
    summary: 'Whether it can serve',
    answers: {
      ...gives('It can.', ready, { status: 'ready', missing: [], version: '0.1.0' }),
      503: {
        about: 'It cannot now; `missing` says why: `bus`, `router`, `draining`.',
        content: { 'application/json': { schema: ready, example: { status: 'not_ready', missing: ['router'], version: '0.1.0' } } },
      },
    },
  },
  {
    method: 'GET',
    path: '/v1/health',
    id: 'publicHealth',
    tag,
    summary: 'Whether there are models to ask',
    answers: gives(
      'How much there is to choose from.',
      z.object({ status: z.enum(['ok', 'degraded']), providers: z.int(), models: z.int(), version: z.string() }),
    ),
  },
  {
    method: 'GET',
    path: '/api/health',
    id: 'setUpHealth',
    tag,
    summary: 'Whether it is set up',
    answers: gives(
      'Numbers of providers and clients, and whether a key is needed.',
      z.object({
        status: z.enum(['ok', 'degraded']),
        providers_configured: z.int(),
        clients_configured: z.int(),
        auth_required: z.boolean(),
      }),
    ),
  },
  {
    method: 'GET',
    path: '/openapi.json',
    id: 'openApiDocument',
    tag,
    summary: 'This description',
    answers: gives('An OpenAPI 3.1 document.', z.looseObject({ openapi: z.string(), paths: z.looseObject({}) })),
  },
  {
    method: 'GET',
    path: '/docs',
    id: 'reference',
    tag,
    summary: 'This description, to be read in a browser',
    answers: { 200: { about: 'A page that loads nothing from elsewhere.', content: { 'text/html': { schema: z.string() } } } },
  },
]
