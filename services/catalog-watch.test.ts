import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KeyValue } from '#contracts/bus.ts'
import { type Catalog, catalog as catalogSchema } from '#contracts/catalog.ts'
import { buckets, catalogKey } from '#contracts/subjects.ts'
import { collect } from '#test/support/collect.ts'
import { type Broker, openMemoryBroker } from './bus/memory.ts'
import { watchCatalog } from './catalog-watch.ts'

let broker: Broker
let router: KeyValue
let ingress: KeyValue
beforeEach(async () => {
  broker = await openMemoryBroker()
  router = await broker.connect('router').keyValue(buckets.config)
  ingress = await broker.connect('ingress').keyValue(buckets.config)
})
afterEach(() => broker.close())

const catalogOf = (name: string): Catalog =>
  catalogSchema.parse({ providers: [{ name, base_url: 'http://127.0.0.1:1/v1', models: [{ id: 'm' }], configured: true }], aliases: [] })
const publish = (value: object | string) =>
  router.put(catalogKey, new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)))
const names = ({ providers }: Catalog) => providers.map(({ name }) => name)

it('is empty until a router has published one', async () => {
  const watch = await watchCatalog(ingress)
  expect(watch.current).toEqual({ providers: [], aliases: [] })
})

it('is there at once if it was published before, and follows every change', async () => {
  await publish(catalogOf('groq'))
  const changes = collect<Catalog>()
  const watch = await watchCatalog(ingress, changes.add)
  expect(names(watch.current)).toEqual(['groq'])
  await publish(catalogOf('gemini'))
  await changes.until(2)
  expect(names(watch.current)).toEqual(['gemini'])
})

it.each([
  ['no JSON', '{'],
  ['of a newer version', { providers: [{ name: 'x', new_field: 1 }], aliases: [] }],
  ['not a catalogue', { providers: 'all' }],
  ['deleted', undefined],
])('what cannot be read leaves the last good one in force: %s', async (_, value) => {
  const changes = collect<Catalog>()
  const watch = await watchCatalog(ingress, changes.add)
  await publish(catalogOf('groq'))
  if (value === undefined) await router.delete(catalogKey)
  else await publish(value)
  await changes.until(1)
  expect(names(watch.current)).toEqual(['groq'])
  await publish(catalogOf('gemini'))
  expect((await changes.until(2)).map(names)).toEqual([['groq'], ['gemini']])
})

it('takes no notice once it is closed', async () => {
  const closed = await watchCatalog(ingress)
  const open = collect<Catalog>()
  await watchCatalog(ingress, open.add)
  closed.close()
  await publish(catalogOf('groq'))
  await open.until(1)
  expect(closed.current.providers).toEqual([])
})
