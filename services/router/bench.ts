// What a decision costs with the whole catalogue, every provider as if it had a key, and with real counts of every limit:
// `npm run bench:router`, with `--assert` to fail over the target. Times are CPU of this process and of this machine; the classifier
// has a benchmark of its own.

import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Submit } from '#contracts/attempt.ts'
import type { Backbone } from '#contracts/bus.ts'
import type { Catalog } from '#contracts/catalog.ts'
import type { AttemptOutcome } from '#contracts/settlement.ts'
import { openQuota } from '#services/quota/quota.ts'
import { type Budget, createBudget } from './budget.ts'
import { type Health, learn } from './health.ts'
import { type Route, route, type World } from './route.ts'
import { shippedCatalog } from './shipped.ts'
import { routingTable } from './table.ts'

/** Microseconds of CPU, the median over the batches. */
const TARGET_MICROS = 60
const BATCHES = 60
const BATCH = 250

const { values } = parseArgs({ options: { assert: { type: 'boolean', default: false } } })

const shipped = await shippedCatalog()
const providers = shipped.providers.map((provider) => ({ ...provider, configured: true, accounts: [`${provider.name}-1`] }))
const catalog: Catalog = { providers, aliases: [...shipped.aliases] }
const table = routingTable(catalog)
const NOW = 1_000_000

const outcomeOf = (prov: string, model: string, ttfb_ms: number): AttemptOutcome => ({
  prov,
  account: `${prov}-1`,
  model,
  status: 200,
  phase: null,
  key_fault: false,
  retry_after_ms: null,
  tokens_per_second: 80,
  ttfb_ms,
})

/** Everything has been called already, so that nothing is cheap for being unknown. */
function known(): Health {
  const health: Health = new Map()
  for (const [i, { name, models }] of providers.entries()) {
    for (const { id } of models) learn(health, outcomeOf(name, id, 100 + 17 * i), NOW)
  }
  return health
}

function halfResting(): Health {
  const health = known()
  for (const [i, { name }] of providers.entries()) {
    if (i % 2 === 0)
      learn(
        health,
        { ...outcomeOf(name, 'any', 0), status: 429, phase: 'status', code: 'rate_limited', scope: 'provider', retry_after_ms: 600_000 },
        NOW,
      )
  }
  return health
}

const job = (change: Partial<Submit> = {}): Submit => ({
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
  need: { tools: false, vision: false, json: false, ctx: 1_000 },
  est: { in: 488, out: 512 },
  exclude: [],
  avoid: [],
  ...change,
})
const need = job().need

let seed = 1
const random = () => {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return seed / 2 ** 32
}

interface BusAdapter {
  openMemoryBroker(): Promise<{ connect(role: 'router'): Backbone; close(): Promise<void> }>
}
/** A router does not know which bus it rides on; only its benchmark has to bring one. */
const { openMemoryBroker } = (await import(new URL('../bus/memory.ts', import.meta.url).href)) as BusAdapter
const broker = await openMemoryBroker()
const connected = broker.connect('router')
await using open = new AsyncDisposableStack()
open.defer(() => broker.close())
async function budgetOf(scope: string): Promise<Budget> {
  const quota = await openQuota({ keyValue: await connected.keyValue('quota'), scope, instance: 'bench' })
  open.defer(() => quota.close())
  return createBudget(quota)
}
/** One request of every model has been counted; or so many that nobody has room. */
const counted = await budgetOf('counted')
const spent = await budgetOf('spent')
let leases = 0
for (const provider of providers) {
  const account = provider.accounts[0] as string
  for (const model of provider.models) {
    const tell = async (budget: Budget) => {
      const lease = `${++leases}.1`
      const { ok } = await budget.reserve(lease, { provider, account, model }, job(), 60_000)
      if (ok) budget.settle(lease, { in: 488, out: 512 }, 'actual')
      return ok
    }
    await tell(counted)
    spent.learn(
      {
        ...outcomeOf(provider.name, model.id, 0),
        learned: model.limits.concat(provider.limits).map(({ unit, per }) => ({ unit, ...(per && { per }), max: 0 })),
      },
      catalog,
    )
  }
}

/** A decision looks at the counts as of its own time, as it does in a router. */
type Seen = () => World
const world =
  (health: Health, change: Partial<World> = {}, budget = counted): Seen =>
  () => ({ health, roomOf: budget.roomFor(job()), wish: 'general', nowMs: NOW + 1_000, random, ...change })

const rows: [string, Submit, Seen][] = [
  ['auto', job(), world(known())],
  ['auto, wants code', job(), world(known(), { wish: 'code' })],
  ['auto, nothing measured', job(), world(new Map())],
  ['auto, half of the providers rest', job(), world(halfResting())],
  ['auto, third attempt', job({ exclude: ['groq'], avoid: ['gemini', 'mistral'] }), world(known())],
  [
    'vision with tools and a schema',
    job({ model: 'freeai-vision', need: { ...need, vision: true, tools: true, json: true } }),
    world(known()),
  ],
  ['an exact model', job({ model: 'groq/openai/gpt-oss-120b' }), world(known())],
  ['every limit that is known is spent', job(), world(known(), {}, spent)],
  ['auto, explained', job({ explain: true }), world(known())],
]
/** Asked for, or never on a good day. */
const untargeted = new Set(['every limit that is known is spent', 'auto, explained'])

const enabled = providers.filter((provider) => provider.enabled)
const models = enabled.flatMap((provider) => provider.models).filter((model) => model.enabled)
say(`${enabled.length} providers, ${models.length} models, ${table.open.get('chat')?.length ?? 0} of them chat\n`)
say(`${'decision'.padEnd(34)}${'p50'.padStart(9)}${'p99'.padStart(9)}  first`)
const measured = measureInTurns(
  rows.map(
    ([, submit, seen]) =>
      () =>
        route(submit, table, seen()),
  ),
)
let over = 0
for (const [i, [name, submit, seen]] of rows.entries()) {
  const micros = measured[i] as number[]
  const p50 = micros[Math.floor(micros.length / 2)] as number
  const p99 = micros[Math.floor(micros.length * 0.99)] as number
  if (!untargeted.has(name) && p50 > TARGET_MICROS) over++
  say(
    `${name.padEnd(34)}${`${p50.toFixed(1)} µs`.padStart(9)}${`${p99.toFixed(1)} µs`.padStart(9)}  ${firstOf(route(submit, table, seen()))}`,
  )
}
say(`\ntarget: ${TARGET_MICROS} µs p50 of CPU${over > 0 ? `; ${over} over it` : ''}`)
if (values.assert && over > 0) process.exitCode = 1

/**
 * CPU time of one call in microseconds, in ascending order, one for each batch. Whatever else the machine is doing meets all
 * of them alike, for they take turns.
 */
function measureInTurns(calls: (() => unknown)[]): number[][] {
  for (const call of calls) for (let i = 0; i < 4 * BATCH; i++) call()
  const micros = calls.map((): number[] => [])
  for (let batch = 0; batch < BATCHES; batch++) {
    for (const [which, call] of calls.entries()) {
      const before = process.cpuUsage()
      for (let i = 0; i < BATCH; i++) call()
      const { user, system } = process.cpuUsage(before)
      micros[which]?.push((user + system) / BATCH)
    }
  }
  return micros.map((all) => all.sort((a, b) => a - b))
}

function firstOf(decision: Route): string {
  if ('noroute' in decision) return decision.noroute.reason
  const best = decision.order[0]?.target
  return `${best?.prov}/${best?.model}`
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
