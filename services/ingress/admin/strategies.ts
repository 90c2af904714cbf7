// Strategies: those of freeway are listed, those of freeway.json as well; further ones are stored, changed, tried out and removed.

import { z } from 'zod'
import { FreewayError } from '#contracts/failure.ts'
import { builtInStrategyOf, type StrategyName, storedStrategyName, strategyDefinition, strategyNames } from '#contracts/strategy.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type Administration, changingDocument } from './changing-document.ts'
import { checked, jsonBody } from './json-body.ts'
import { own } from './provider-change.ts'

const MAX_STORED = 200
const description = z.string().max(500)

const descriptions: Record<StrategyName, string> = {
  auto: 'what the prompt asks for, and of that what is quick, good, reliable and has quota left',
  fast: 'the quickest, as measured',
  quality: 'the best model',
  code: 'models made for code',
  reasoning: 'models made for thinking',
  cheap: 'what costs nothing and has the most quota left',
  vision: 'models that see',
  long: 'the largest context',
  random: 'any',
}

export function strategyRoutes(admin: Administration): Route[] {
  const { routing, written, askRouter } = admin
  const path = '/api/strategies'
  return [
    { method: 'GET', path, access: 'admin', handle: () => json(listed(admin)) },
    { method: 'POST', path, access: 'admin', handle: add },
    { method: 'POST', path: `${path}/preview`, access: 'admin', handle: preview },
    { method: 'PATCH', path: `${path}/*`, access: 'admin', handle: patch },
    { method: 'DELETE', path: `${path}/*`, access: 'admin', handle: remove },
  ]

  async function preview(request: Request): Promise<Response> {
    const { definition } = await jsonBody(request, z.looseObject({}))
    return json(await askRouter({ kind: 'preview', definition: definitionOf(definition) }))
  }

  async function add(request: Request): Promise<Response> {
    const body = await jsonBody(request, z.looseObject({}))
    const { name } = checked(z.object({ name: z.string().max(64) }), body)
    if (builtInStrategyOf(name) || own(written, name)) throw taken(name)
    checked(z.object({ name: storedStrategyName }), { name })
    const text = checked(z.object({ description: description.default('') }), body).description
    const entry = { definition: definitionOf(body.definition), description: text }
    await changingDocument(admin, request, 'strategy.add', async () => {
      await routing.change((before) => {
        if (own(before.strategies, name)) throw taken(name)
        if (Object.keys(before.strategies).length >= MAX_STORED) {
          throw new FreewayError('invalid_request_error', `there are ${MAX_STORED} strategies already`, { status: 409 })
        }
        return { ...before, strategies: { ...before.strategies, [name]: entry } }
      })
      return { target: name, after: entry }
    })
    return json(row(name, entry), {}, 201)
  }

  async function patch(request: Request, name: string): Promise<Response> {
    changeable(name)
    const body = await jsonBody(request, z.looseObject({}))
    if (body.name !== undefined && body.name !== name) {
      throw new FreewayError('invalid_request_error', 'name: must be that of the path; strategies are not renamed', { param: 'name' })
    }
    const sent = {
      ...(body.definition === undefined ? {} : { definition: definitionOf(body.definition) }),
      ...checked(z.object({ description: description.optional() }), body),
    }
    const { after } = await changingDocument(admin, request, 'strategy.change', async () => {
      const { before, after } = await routing.change((now) => {
        const known = own(now.strategies, name)
        if (!known) throw unknown()
        return { ...now, strategies: { ...now.strategies, [name]: { ...known, ...sent } } }
      })
      return { target: name, before: own(before.strategies, name), after: own(after.strategies, name) }
    })
    return json(row(name, after as NonNullable<typeof after>))
  }

  /** Where it was the default, `auto` is again. */
  async function remove(request: Request, name: string): Promise<Response> {
    changeable(name)
    await changingDocument(admin, request, 'strategy.remove', async () => {
      const { before } = await routing.change((now) => {
        if (!own(now.strategies, name)) throw unknown()
        const { [name]: _, ...strategies } = now.strategies
        return { ...now, strategies, default_strategy: now.default_strategy === name ? 'auto' : now.default_strategy }
      })
      return { target: name, before: own(before.strategies, name) }
    })
    return json({ ok: true, default_strategy: routing.current.default_strategy })
  }

  /** Throws FreewayError 400 or 404. */
  function changeable(name: string): void {
    if (builtInStrategyOf(name)) throw new FreewayError('invalid_request_error', 'a built-in strategy cannot be changed', { param: 'name' })
    if (own(written, name)) {
      throw new FreewayError('invalid_request_error', 'this strategy is written in freeway.json: change it there', { param: 'name' })
    }
    if (!own(routing.current.strategies, name)) throw unknown()
  }
}

/** All strategies that a request may name. */
export function listed({ written, routing }: Pick<Administration, 'written' | 'routing'>) {
  return [
    ...strategyNames.map((name) => ({ name, definition: null, description: descriptions[name], is_builtin: true })),
    ...Object.entries(written).map(([name, settings]) => ({
      name,
      definition: null,
      description: 'written in freeway.json',
      is_builtin: false,
      read_only: true,
      settings,
    })),
    ...Object.entries(routing.current.strategies).map(([name, entry]) => row(name, entry)),
  ]
}

function row(name: string, { definition, description }: { definition: unknown; description: string }) {
  return { name, definition, description, is_builtin: false }
}

/** Throws FreewayError 422 with the path of the field at fault. */
function definitionOf(value: unknown) {
  try {
    return checked(z.object({ definition: strategyDefinition }), { definition: value }).definition
  } catch (error) {
    if (!(error instanceof FreewayError)) throw error
    throw new FreewayError('invalid_request_error', error.message, { status: 422, param: error.param ?? undefined })
  }
}

function taken(name: string): FreewayError {
  return new FreewayError('invalid_request_error', `there is a strategy ${name} already`, { status: 409, param: 'name' })
}

function unknown(): FreewayError {
  return new FreewayError('invalid_request_error', 'unknown strategy', { status: 404, code: 'strategy_not_found', param: 'name' })
}
