// How fast facts go into a server that speaks MongoDB's protocol, beside the most it takes from the bare driver at the same time:
// where the two are close, the server is the limit and not the store.

import { randomBytes } from 'node:crypto'
import { MongoClient } from 'mongodb'
import type { Event } from '#contracts/event.ts'
import { openMongoStore } from '#services/telemetry/store/mongo.ts'
import { startFastMongo } from '#test/support/event-stores.ts'
import { endOf, requestId } from './telemetry-facts.ts'

const TURNS = 5
/** Of each turn. */
const FACTS = 4_000
/** As telemetry takes them from the log. */
const SAVED_TOGETHER = 2_000
const BARE_TOGETHER = 500
/** As of the store's collection. */
const INDEXES = ['first', 'end.at', 'reaped.at', 'ended']

export interface MongoRates {
  server: string
  /** Events a second into the store, and documents of the same size by the driver's own insertMany. */
  store: number
  bare: number
  /** What it takes to roll all of it up; undefined where the server searches without an index, and is not waited for. */
  rollUpMs: number | undefined
}

/** Undefined where there is no server worth measuring. */
export async function measureMongo(): Promise<MongoRates | undefined> {
  const server = await startFastMongo()
  if (!server) return undefined
  await using stack = new AsyncDisposableStack()
  stack.defer(() => server.stop())
  const url = new URL(server.url)
  url.pathname = `/freeway_bench_${randomBytes(6).toString('hex')}`
  const client = new MongoClient(url.href, { writeConcern: { w: 'majority' } })
  stack.defer(() => client.close())
  stack.defer(async () => void (await client.db().dropDatabase()))
  const bare = client.db().collection('bare')
  for (const field of INDEXES) await bare.createIndex({ [field]: 1 })
  const store = openMongoStore(url.href)
  stack.defer(() => store.close())
  await store.save([endOf(requestId(), 0)])

  const rates: { store: number; bare: number }[] = []
  for (let turn = 0; turn < TURNS; turn++) {
    const facts = Array.from({ length: FACTS }, (_, i) => endOf(requestId(), i))
    const documents = facts.map(documentOf)
    rates.push({
      bare: await perSecond(documents, BARE_TOGETHER, async (some) => void (await bare.insertMany(some, { ordered: false }))),
      store: await perSecond(facts, SAVED_TOGETHER, async (some) => {
        const { saved } = await store.save(some)
        if (saved.length !== some.length) throw new Error(`${some.length - saved.length} facts were not saved`)
      }),
    })
  }
  const started = performance.now()
  const rolledUp = await store.rollUp(true).then(
    () => true,
    () => false,
  )
  const rollUpMs = rolledUp ? performance.now() - started : undefined
  const best = (which: 'store' | 'bare') => Math.round(Math.max(...rates.map((rate) => rate[which])))
  return { server: server.name, store: best('store'), bare: best('bare'), rollUpMs }
}

async function perSecond<Item>(items: readonly Item[], together: number, write: (some: Item[]) => Promise<void>): Promise<number> {
  const started = performance.now()
  for (let from = 0; from < items.length; from += together) await write(items.slice(from, from + together))
  return items.length / ((performance.now() - started) / 1_000)
}

/** What the store keeps of it, more or less. */
function documentOf(fact: Event): Record<string, unknown> & { _id: never } {
  const { last, ...end } = fact as Extract<Event, { name: 'req.end' }>
  const { at, provider, model, outcome, client, ...more } = end
  const searched = { at, provider, model, outcome, client, more: JSON.stringify(more) }
  return { _id: end.request as never, first: new Date(at), end: searched, attempts: { 1: { ingress: JSON.stringify(last) } }, ended: true }
}
