import { describe, expect, it } from 'vitest'
import type { Submit } from '#contracts/attempt.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { catalogOf, jobFor } from '#test/support/routing.ts'
import type { Health } from './health.ts'
import { newCondition } from './health.ts'
import type { World } from './route.ts'
import { route } from './route.ts'
import { routingTable } from './table.ts'

const NOW = 50_000

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

describe('what not every provider gives', () => {
  const catalog = catalogOf({
    clamps: { weight: 9, request_policy: { clamp: { n: 1 } } },
    drops: { weight: 8, request_policy: { drop: ['n', 'logprobs'] } },
    claude: { weight: 7, format: 'messages' },
    gpt: { weight: 6, format: 'responses' },
    usual: {},
  })
  const need = (...also: string[]) => ({ tools: false, vision: false, json: false, ctx: 100, also })
  it.each<[string, Partial<Submit>, string]>([
    ['several answers', { need: need('choices') }, 'usual/m'],
    ['logprobs', { need: need('logprobs') }, 'clamps/m'],
    ['logprobs, once the first has failed', { need: need('logprobs'), exclude: ['clamps'] }, 'gpt/m'],
    ['both', { need: need('choices', 'logprobs') }, 'usual/m'],
    ['several answers of one that was named', { model: 'clamps/m', need: need('choices') }, 'unsupported'],
    ['logprobs of one that was named', { model: 'claude/m', need: need('logprobs') }, 'unsupported'],
  ])('%s', (_, job, target) => expect(routed(catalog, job)).toBe(target))
})

describe('more tools than a provider takes', () => {
  const models = [{ id: 'm', capabilities: ['chat', 'tools'] }]
  const catalog = catalogOf({ few: { weight: 9, max_tools: 128, models }, many: { models } })
  const need = (tool_count?: number) => ({ tools: true, tool_count, vision: false, json: false, ctx: 100 })
  it.each<[string, Partial<Submit>, string]>([
    ['go elsewhere', { need: need(129) }, 'many/m'],
    ['just as many do not', { need: need(128) }, 'few/m'],
    ['nor do those that nobody has counted', { need: need() }, 'few/m'],
    ['go nowhere if that provider was named', { model: 'few/m', need: need(129) }, 'unsupported'],
    ['nor once all others have failed', { need: need(129), exclude: ['many'] }, 'none'],
  ])('%s', (_, job, target) => expect(routed(catalog, job)).toBe(target))
})

describe('a kind of job', () => {
  const catalog = catalogOf({
    chat: { weight: 99, models: [{ id: 'chat' }] },
    voice: { models: [{ id: 'voice', capabilities: ['tts'] }] },
    scribe: { models: [{ id: 'scribe', capabilities: ['stt'] }] },
    listener: { weight: 9, media: { transcription: { max_bytes: 1e6 } }, models: [{ id: 'listener', capabilities: ['chat', 'audio_in'] }] },
    deaf: { weight: 9, models: [{ id: 'deaf', capabilities: ['chat', 'audio_in'] }] },
    painter: { models: [{ id: 'painter', capabilities: ['image_gen'], context_window: 10 }] },
    retoucher: { models: [{ id: 'retoucher', capabilities: ['image_edit'] }] },
  })
  const need = { tools: false, vision: false, json: false, ctx: 100 }
  const blobOf = (size: number) => ({ size, sha256: '0'.repeat(64), parts: 1, part_size: size })
  it.each<[string, Partial<Submit>, string]>([
    ['speech goes to a model that speaks', { kind: 'speech' }, 'voice/voice'],
    ['transcription to one that does nothing else, whatever is better besides', { kind: 'transcription' }, 'scribe/scribe'],
    ['after it to one that hears and is known to be asked so', { kind: 'transcription', exclude: ['scribe'] }, 'listener/listener'],
    ['but not with more than it takes', { kind: 'transcription', model: 'listener', blob: blobOf(2e6) }, 'unsupported'],
    ['who says nothing of sizes takes all', { kind: 'transcription', blob: blobOf(25e6) }, 'scribe/scribe'],
    ['audio within a chat to one that hears', { need: { ...need, also: ['audio_in'] }, exclude: ['listener'] }, 'deaf/deaf'],
    ['an image to one that paints, whatever the context of it', { kind: 'image' }, 'painter/painter'],
    ['an edit to one that edits', { kind: 'image', need: { ...need, also: ['image_edit'] } }, 'retoucher/retoucher'],
    ['none to a named model of another kind', { kind: 'speech', model: 'chat' }, 'unsupported'],
    ['a chat neither', { model: 'voice/voice' }, 'unsupported'],
    ['what nobody has is unsupported', { kind: 'embedding' }, 'unsupported'],
    ['likewise a capability that nobody has heard of', { need: { ...need, also: ['smell'] } }, 'unsupported'],
  ])('%s', (_, job, target) => expect(routed(catalog, job)).toBe(target))
})

describe('output', () => {
  const catalog = catalogOf({
    short: { weight: 9, models: [{ id: 'short', max_output: 500 }] },
    long: { models: [{ id: 'long', max_output: 5_000 }] },
  })
  it.each([
    [500, 'short/short'],
    [501, 'long/long'],
    [5_001, 'unsupported'],
  ])('of %i tokens goes to %s', (out, target) => expect(routed(catalog, { est: { in: 1, out } })).toBe(target))

  const need = { tools: false, vision: false, json: false, ctx: 32_001 }
  const largest = { est: { in: 1, out: 32_000 }, need }
  it('of more than a named model can give is what it can give', () => {
    const narrow = catalogOf({ long: { models: [{ id: 'long', max_output: 5_000, context_window: 6_000 }] } })
    expect(routed(narrow, { ...largest, model: 'long' })).toBe('long/long')
    expect(routed(narrow, { ...largest, model: 'long', need: { ...need, ctx: 33_001 } })).toBe('unsupported')
  })
  it('of a model of several providers comes from the one that gives most', () => {
    const both = catalogOf({
      short: { weight: 9, models: [{ id: 'm', max_output: 500 }] },
      long: { models: [{ id: 'm', max_output: 5_000 }] },
    })
    expect(routed(both, { ...largest, model: 'm' })).toBe('long/m')
  })
})

describe('an access tier', () => {
  const catalog = catalogOf({
    open: { models: [{ id: 'open' }] },
    closed: { weight: 9, models: [{ id: 'closed', tier: 'pro' }] },
  })
  it.each<[string, Partial<Submit>, string]>([
    ['all are open to who has no roles', {}, 'closed/closed'],
    ['the public ones are open to everybody', { roles: [] }, 'open/open'],
    ['a role opens its own', { roles: ['pro'] }, 'closed/closed'],
    ['a role opens no other', { roles: ['member'] }, 'open/open'],
    ['a named model that is locked is told apart from one that nobody knows', { roles: ['member'], model: 'closed' }, 'tier'],
    ['also if the public ones are gone', { roles: [], exclude: ['open'] }, 'none'],
  ])('%s', (_, job, target) => expect(routed(catalog, job)).toBe(target))
})

describe('a call that may cost money', () => {
  const catalog = catalogOf({ paid: { weight: 1.2, metered: true }, free: {} })
  it('is made where nothing is free', () => expect(routed(catalog, { exclude: ['free'] })).toBe('paid/m'))
  it('is not made while something is, unless the operator puts much weight on it', () => {
    expect(routed(catalog, {})).toBe('free/m')
    expect(routed(catalogOf({ paid: { weight: 3, metered: true }, free: {} }), {})).toBe('paid/m')
  })
  it('is not made if it may not be', () => {
    expect(routed(catalog, { billable_ok: false, exclude: ['free'] })).toBe('none')
    expect(routed(catalog, { billable_ok: false, model: 'paid/m' })).toBe('none')
  })
})

describe('among several', () => {
  const three = catalogOf({ a: { weight: 3 }, b: { weight: 2 }, c: { weight: 1, aliases: ['cee'] } })
  it.each<[string, Partial<Submit>, string]>([
    ['the greatest weight wins', {}, 'a/m'],
    ['an excluded provider is never taken', { exclude: ['a'] }, 'b/m'],
    ['an excluded account is never taken', { exclude: ['a/a-1'] }, 'b/m'],
    ['an excluded model of an account is never taken', { exclude: ['a/a-1/m'] }, 'b/m'],
    ['the account of another is not meant', { exclude: ['a/b-1'] }, 'a/m'],
    ['nobody is left when all are excluded', { exclude: ['a', 'b', 'c'] }, 'none'],
    ['an avoided provider comes last', { avoid: ['a'] }, 'b/m'],
    ['of avoided ones, the one that was avoided less often', { avoid: ['a', 'a', 'b', 'c', 'c'] }, 'b/m'],
    ['an account can be avoided', { avoid: ['a/a-1'] }, 'b/m'],
    ['an avoided one is better than none', { avoid: ['c'], exclude: ['a', 'b'] }, 'c/m'],
    ['the client’s wish goes before weight', { preferred: 'c' }, 'c/m'],
    ['it may be told by another name of the provider', { preferred: 'cee' }, 'c/m'],
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

describe('a name', () => {
  const catalog = catalogOf(
    {
      alpha: { aliases: ['a'], models: [{ id: 'llama-4', canonical: 'llama' }, { id: 'alpha-only' }] },
      beta: { weight: 2, models: [{ id: 'vendor/llama4', canonical: 'llama' }] },
      gamma: { weight: 9, models: [{ id: 'big' }] },
    },
    [
      ['fav', 'alpha/llama-4'],
      ['fav', 'gamma/big'],
      ['fav', 'beta/nothing'],
      ['opc/*', 'alpha/*'],
      ['*-latest', 'gamma/big'],
    ],
  )
  it.each<[string, Partial<Submit>, string]>([
    ['one word for the same weights means all that have them', { model: 'llama' }, 'beta/vendor/llama4'],
    ['another name of a provider is as good as its own', { model: 'a/llama-4' }, 'alpha/llama-4'],
    ['the first target of an alias is taken, whatever the weights', { model: 'fav' }, 'alpha/llama-4'],
    ['then the next', { model: 'fav', exclude: ['alpha'] }, 'gamma/big'],
    ['text in place of a star is handed on', { model: 'opc/alpha-only' }, 'alpha/alpha-only'],
    ['text in place of a star may be of no interest', { model: 'any-latest' }, 'gamma/big'],
    ['a star does not lead to what nobody has', { model: 'opc/big' }, 'unknown_model'],
  ])('%s', (_, job, target) => expect(routed(catalog, job)).toBe(target))
})

describe('embeddings', () => {
  const embeds = (id: string, more = {}) => ({ id, capabilities: ['embeddings'], ...more })
  const catalog = catalogOf({
    alpha: { weight: 9, models: [embeds('lone', { intelligence_rank: 1 }), embeds('x-bge', { canonical: 'bge' })] },
    beta: { models: [embeds('y-bge', { canonical: 'bge' })] },
    keyless: { configured: false, models: [embeds('lone'), embeds('bge2')] },
  })
  it('come from one and the same model wherever they are made: vectors of two cannot be compared', () => {
    expect(routed(catalog, { kind: 'embedding' })).toBe('alpha/x-bge')
    expect(routed(catalog, { kind: 'embedding', exclude: ['alpha'] })).toBe('beta/y-bge')
    expect(routed(catalog, { kind: 'embedding', exclude: ['alpha', 'beta'] })).toBe('none')
  })
  it('come from another only if it is named', () => expect(routed(catalog, { kind: 'embedding', model: 'lone' })).toBe('alpha/lone'))

  it('of a name for several are those of the first that has a key, whoever fails', () => {
    const providers = {
      alpha: { models: [embeds('x')] },
      beta: { models: [embeds('y', { canonical: 'why' })] },
      gamma: { models: [embeds('z', { canonical: 'why' })] },
    }
    const aliases: [string, string][] = ['keyless/k', 'beta/y', 'alpha/x', 'gamma/z'].map((target) => ['ours', target])
    const all = catalogOf({ keyless: { configured: false, models: [embeds('k')] }, ...providers }, aliases)
    const from = (exclude: string[]) => routed(all, { kind: 'embedding', model: 'ours', exclude })
    expect([from([]), from(['beta']), from(['beta', 'gamma'])]).toEqual(['beta/y', 'gamma/z', 'none'])
  })
})

describe('several accounts', () => {
  const catalog = catalogOf({ a: { accounts: ['a-1', 'a-2'] }, b: { weight: 0.5 } })
  const accounts = (job: Partial<Submit>, world: Partial<World> = {}) => {
    const found = route(jobFor(job), routingTable(catalog), worldOf(world))
    return 'order' in found ? found.order.map(({ target }) => target.account) : found.noroute.reason
  }
  it('are candidates of their own', () => expect(accounts({})).toEqual(['a-1', 'a-2', 'b-1']))
  it('are left out one by one', () => expect(accounts({ exclude: ['a/a-1'] })).toEqual(['a-2', 'b-1']))
  it('rest one by one', () => {
    const health: Health = new Map([['a/a-1', { ...newCondition(), restUntilMs: NOW + 1 }]])
    expect(accounts({}, { health })).toEqual(['a-2', 'b-1'])
  })
  it('with more room goes first', () => {
    expect(accounts({}, { roomOf: (_, account) => ({ headroom: account === 'a-2' ? 0.9 : 0.3 }) })).toEqual(['a-2', 'a-1', 'b-1'])
  })
})

describe('a quota that is spent', () => {
  const catalog = catalogOf({ a: { weight: 9 }, b: {}, c: {} })
  const world = (spent: Record<string, number>, change: Partial<World> = {}) =>
    worldOf({ roomOf: ({ name }) => (name in spent ? { headroom: 0, opensInMs: spent[name] as number } : { headroom: 1 }), ...change })
  const decide = (seen: World, job: Partial<Submit> = {}) => route(jobFor(job), routingTable(catalog), seen)

  it('lets the others serve', () => expect(decide(world({ a: 5_000 }))).toMatchObject({ order: [{ target: { prov: 'b' } }, {}] }))

  it('of all of them, is told with the soonest end, and for whom the job may wait, best first', () => {
    const found = decide(world({ a: 5_000, b: 3_000, c: 4_000 }))
    expect(found).toMatchObject({ noroute: { reason: 'quota', retry_after_ms: 3_000 } })
    expect('noroute' in found && found.spent?.map(({ target }) => target.prov)).toEqual(['a', 'b', 'c'])
  })

  it('nobody waits for who is excluded, rests, or cannot', () => {
    const found = decide(world({ a: 5_000, b: 3_000, c: 4_000 }, { health: resting({ b: 60_000 }) }), { exclude: ['a'] })
    expect('noroute' in found && found.spent?.map(({ target }) => target.prov)).toEqual(['c'])
    expect(found).toMatchObject({ noroute: { reason: 'quota', retry_after_ms: 4_000 } })
  })

  it('is no reason where the client has excluded everybody', () => {
    expect(decide(world({ a: 1, b: 1, c: 1 }), { exclude: ['a', 'b', 'c'] })).toEqual({ noroute: { reason: 'none' } })
  })

  it('a rest that ends sooner is what the client is told', () => {
    expect(decide(world({ a: 50_000, b: 30_000 }, { health: resting({ c: 2_000 }) }))).toMatchObject({
      noroute: { reason: 'quota', retry_after_ms: 2_000 },
    })
  })
})

describe('who has to go first after a rest', () => {
  const trying: Health = new Map([['a', { ...newCondition(), unproven: true, restUntilMs: NOW }]])
  const catalog = catalogOf({ a: { weight: 2 }, b: {} })
  it('is taken as usual', () => expect(routed(catalog, {}, trying)).toBe('a/m'))
  it('but not by who has one attempt only', () => {
    expect(routed(catalog, { fallback: false }, trying)).toBe('b/m')
    expect(routed(catalog, { fallback: false, exclude: ['b'] }, trying)).toBe('a/m')
  })
})

describe('equals', () => {
  const seeded = (seed: number) => () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }
  const shares = (providers: Parameters<typeof catalogOf>[0]) => {
    const table = routingTable(catalogOf(providers))
    const random = seeded(7)
    const count: Record<string, number> = {}
    for (let i = 0; i < 3_000; i++) {
      const found = route(jobFor(), table, worldOf({ random }))
      const account = ('order' in found && found.order[0]?.target.account) || 'none'
      count[account] = (count[account] ?? 0) + 1
    }
    return count
  }

  it('share the load, accounts and providers alike', () => {
    const count = shares({ a: { accounts: ['a-1', 'a-2'] }, b: {} })
    expect(Object.keys(count).sort()).toEqual(['a-1', 'a-2', 'b-1'])
    for (const share of Object.values(count)) expect(share).toBeGreaterThan(800)
  })

  it('a clearly better one shares with nobody', () => {
    expect(shares({ a: { models: [{ id: 'm', intelligence_rank: 1, speed_rank: 1 }] }, b: {} })).toEqual({ 'a-1': 3_000 })
  })

  it('the same chance gives the same choice', () => expect(shares({ a: {}, b: {}, c: {} })).toEqual(shares({ a: {}, b: {}, c: {} })))
})
