import { describe, expect, it } from 'vitest'
import type { Submit } from '#contracts/attempt.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import type { Health } from './health.ts'
import { newCondition } from './health.ts'
import type { World } from './route.ts'
import { route } from './route.ts'
import { routingTable } from './table.ts'

const NOW = 50_000

type Entry = Record<string, unknown> & { models?: Record<string, unknown>[] }

function catalogOf(providers: Record<string, Entry>, aliases: [string, string][] = []): Catalog {
  const entries = Object.entries(providers).map(([name, own]) => ({
    name,
    base_url: 'http://127.0.0.1:1/v1',
    configured: true,
    models: [{ id: 'm' }],
    ...own,
  }))
  return catalogSchema.parse({ providers: entries, aliases })
}

function jobFor(change: Partial<Submit> = {}): Submit {
  return {
    v: 1,
    t: 'submit',
    id: 'r1',
    n: 1,
    ttl_ms: 60_000,
    kind: 'chat',
    stream: true,
    include_usage: false,
    fallback: true,
    billable_ok: true,
    need: { tools: false, vision: false, json: false, ctx: 100 },
    est: { in: 10, out: 90 },
    exclude: [],
    avoid: [],
    ...change,
  }
}

const resting = (rests: Record<string, number>): Health =>
  new Map(Object.entries(rests).map(([name, ms]) => [name, { ...newCondition(), restUntilMs: NOW + ms }]))

const worldOf = (change: Partial<World> = {}): World => ({
  health: new Map(),
  roomOf: () => ({ headroom: 1 }),
  wish: undefined,
  nowMs: NOW,
  random: () => 0.5,
  ...change,
})

/** `provider/model`, or the reason why there is none. */
function routed(catalog: Catalog, job: Partial<Submit>, health: Health = new Map()): string {
  const found = route(jobFor(job), routingTable(catalog), worldOf({ health }))
  const best = 'order' in found ? found.order[0]?.target : undefined
  return 'noroute' in found ? found.noroute.reason : `${best?.prov}/${best?.model}`
}

describe('a model is found by', () => {
  const catalog = catalogOf(
    {
      alpha: { models: [{ id: 'm-large' }, { id: 'vendor/shared' }] },
      beta: { weight: 2, models: [{ id: 'vendor/shared' }, { id: 'beta/own' }, { id: 'off', enabled: false }] },
      gamma: { enabled: false, models: [{ id: 'hidden' }] },
    },
    [
      ['opc/large', 'alpha/m-large'],
      ['m-large', 'beta/vendor/shared'],
      ['nowhere', 'gamma/hidden'],
    ],
  )
  it.each([
    ['its own name', 'm-large', 'alpha/m-large'],
    ['its own name with a slash, at the best of several providers', 'vendor/shared', 'beta/vendor/shared'],
    ['provider and name', 'alpha/vendor/shared', 'alpha/vendor/shared'],
    ['a name that begins with its provider', 'beta/own', 'beta/beta/own'],
    ['an alias', 'opc/large', 'alpha/m-large'],
    ['a virtual name, which leaves the choice to us', 'freeai-auto', 'beta/vendor/shared'],
    ['no name at all', undefined, 'beta/vendor/shared'],
  ])('%s', (_, model, target) => expect(routed(catalog, { model })).toBe(target))

  it.each([
    ['nobody has', 'gpt-17'],
    ['differs in case', 'M-Large'],
    ['is half of another', 'large'],
    ['is switched off', 'off'],
    ['belongs to a provider that is switched off', 'hidden'],
    ['is an alias of what is switched off', 'nowhere'],
    ['is a property of objects', 'constructor'],
    ['belongs to another provider', 'alpha/beta/own'],
    ['is empty', ''],
  ])('nothing else: one that %s is unknown', (_, model) => expect(routed(catalog, { model })).toBe('unknown_model'))

  it('its name before an alias of that name', () => expect(routed(catalog, { model: 'm-large' })).toBe('alpha/m-large'))
})

it('the target carries what the worker and the ingress need to know', () => {
  const catalog = catalogOf({ alpha: { metered: true, models: [{ id: 'x/y' }] } })
  const found = (model: string | undefined) => route(jobFor({ model }), routingTable(catalog), worldOf())
  const target = { prov: 'alpha', account: 'alpha-1', model: 'x/y', billable: true }
  expect(found('alpha/x/y')).toMatchObject({ order: [{ target }], reason: 'named' })
  expect(found('auto')).toMatchObject({ order: [{ target }], reason: 'auto' })
})

describe('what a model must be able to do', () => {
  const catalog = catalogOf({
    plain: { weight: 9, models: [{ id: 'plain', context_window: 1_000 }] },
    skilled: { models: [{ id: 'skilled', capabilities: ['chat', 'tools', 'vision'], context_window: 1_000 }] },
    wide: { models: [{ id: 'wide', context_window: 9_000 }] },
    speech: { weight: 99, models: [{ id: 'voice', capabilities: ['audio'] }] },
  })
  const need = { tools: false, vision: false, json: false, ctx: 100 }
  it.each([
    ['chat', {}, 'plain/plain'],
    ['tools', { tools: true }, 'skilled/skilled'],
    ['see', { vision: true }, 'skilled/skilled'],
    ['hold just as much', { ctx: 1_000 }, 'plain/plain'],
    ['hold more', { ctx: 1_001 }, 'wide/wide'],
    ['hold more and use tools', { ctx: 1_001, tools: true }, 'unsupported'],
    ['hold more than any', { ctx: 9_001 }, 'unsupported'],
  ])('%s', (_, more, target) => expect(routed(catalog, { need: { ...need, ...more } })).toBe(target))

  it('a named model that cannot is no other than that', () => {
    expect(routed(catalog, { model: 'plain', need: { ...need, tools: true } })).toBe('unsupported')
  })
})

describe('among several', () => {
  const three = catalogOf({ a: { weight: 3 }, b: { weight: 2 }, c: { weight: 1 } })
  it.each<[string, Partial<Submit>, string]>([
    ['the greatest weight wins', {}, 'a/m'],
    ['an excluded provider is never taken', { exclude: ['a'] }, 'b/m'],
    ['an excluded account is never taken', { exclude: ['a/a-1'] }, 'b/m'],
    ['the account of another is not meant', { exclude: ['a/b-1'] }, 'a/m'],
    ['nobody is left when all are excluded', { exclude: ['a', 'b', 'c'] }, 'none'],
    ['an avoided provider comes last', { avoid: ['a'] }, 'b/m'],
    ['of avoided ones, the one that was avoided less often', { avoid: ['a', 'a', 'b', 'c', 'c'] }, 'b/m'],
    ['an avoided one is better than none', { avoid: ['c'], exclude: ['a', 'b'] }, 'c/m'],
    ['the client’s wish goes before weight', { preferred: 'c' }, 'c/m'],
    ['avoiding goes before the client’s wish', { preferred: 'c', avoid: ['c'] }, 'a/m'],
    ['a wish that cannot be had is no obstacle', { preferred: 'c', exclude: ['c'] }, 'a/m'],
    ['a wish for a provider that nobody knows neither', { preferred: 'zeta' }, 'a/m'],
  ])('%s', (_, job, target) => expect(routed(three, job)).toBe(target))

  const took = (times: Record<string, number>): Health =>
    new Map(
      Object.entries(times).map(([name, ttftMs]) => [
        `${name}/${name}-1/m`,
        { ...newCondition(), ttftMs, timed: 20, calls: 20, lastMs: NOW },
      ]),
    )

  it('the quicker one wins when all else is equal, then the better model, then the first', () => {
    const equal = catalogOf({ a: { models: [{ id: 'm', intelligence_rank: 3 }] }, b: { models: [{ id: 'm', intelligence_rank: 2 }] } })
    expect(routed(equal, {}, took({ a: 90, b: 900 }))).toBe('a/m')
    expect(routed(equal, {}, took({ a: 900, b: 90 }))).toBe('b/m')
    expect(routed(equal, {})).toBe('b/m')
    expect(routed(catalogOf({ a: {}, b: {} }), {})).toBe('a/m')
  })

  it('one that nobody has timed yet counts as neither quick nor slow', () => {
    expect(routed(catalogOf({ a: {}, b: {} }), {}, took({ a: 3_000 }))).toBe('b/m')
    expect(routed(catalogOf({ b: {}, a: {} }), {}, took({ a: 500 }))).toBe('a/m')
  })
})

describe('a provider that rests', () => {
  const two = catalogOf({ a: { weight: 2 }, b: { weight: 1 } })
  it('is passed over until its time has come', () => {
    expect(routed(two, {}, resting({ a: 1 }))).toBe('b/m')
    expect(routed(two, {}, resting({ a: 0 }))).toBe('a/m')
  })

  it('is what the client is told to wait for, the soonest of those that it may have', () => {
    const health = resting({ a: 12_000, b: 7_000 })
    const found = (job: Partial<Submit>) => route(jobFor(job), routingTable(two), worldOf({ health }))
    expect(found({})).toEqual({ noroute: { reason: 'cooldown', retry_after_ms: 7_000 } })
    expect(found({ exclude: ['b'] })).toEqual({ noroute: { reason: 'cooldown', retry_after_ms: 12_000 } })
    expect(found({ model: 'a/m' })).toEqual({ noroute: { reason: 'cooldown', retry_after_ms: 12_000 } })
  })
})

describe('a provider without a key', () => {
  const catalog = catalogOf({ a: { weight: 9, configured: false }, b: {} })
  it('is never chosen', () => expect(routed(catalog, {})).toBe('b/m'))
  it('is known all the same: its model is not unknown, nobody can serve it', () => expect(routed(catalog, { model: 'a/m' })).toBe('none'))
})

it('an empty catalogue knows no model and has nobody for the others', () => {
  expect(routed(catalogOf({}), { model: 'm' })).toBe('unknown_model')
  expect(routed(catalogOf({}), {})).toBe('none')
})

describe('a schema', () => {
  const need = { tools: false, vision: false, json: true, ctx: 100 }

  it('goes to a model that follows schemas, whatever the weights', () => {
    const catalog = catalogOf({
      loose: { weight: 9, models: [{ id: 'loose' }] },
      strict: { models: [{ id: 'strict', capabilities: ['chat', 'json_schema'] }] },
    })
    expect(routed(catalog, { need })).toBe('strict/strict')
  })

  it('goes to any model where none is known to follow schemas', () => {
    expect(routed(catalogOf({ loose: { models: [{ id: 'loose' }] } }), { need })).toBe('loose/loose')
  })
})

describe('what the prompt asks for', () => {
  const catalog = catalogOf({
    plain: { models: [{ id: 'plain', intelligence_rank: 1 }] },
    coder: { models: [{ id: 'coder', capabilities: ['chat', 'code'] }] },
    thinker: { models: [{ id: 'thinker', capabilities: ['chat', 'reasoning'] }] },
  })
  const asked = (wish: 'code' | 'reasoning' | 'general' | undefined, more = {}) =>
    route(jobFor(more), routingTable(catalog), worldOf({ wish }))

  it.each([
    ['code', 'coder'],
    ['reasoning', 'thinker'],
    ['general', 'plain'],
    [undefined, 'plain'],
  ] as const)('%s goes to %s', (wish, prov) => expect(asked(wish)).toMatchObject({ order: [{ target: { prov } }, {}, {}] }))

  it('but not past what the client prefers', () => {
    expect(asked('code', { preferred: 'thinker' })).toMatchObject({ order: [{ target: { prov: 'thinker' } }, {}, {}] })
  })
})
