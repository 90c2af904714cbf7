import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Backbone, BusMessage } from '#contracts/bus.ts'
import { type Catalog, catalog as catalogSchema } from '#contracts/catalog.ts'
import { control, inbox, work } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { redactText } from '#services/redact.ts'
import { loadSettings } from '#services/settings.ts'
import { collect } from '#test/support/collect.ts'
import type { Place, Places } from './places.ts'
import { openPlaces } from './places.ts'

let broker: Broker
let router: Backbone
let places: Places | undefined
beforeEach(async () => {
  broker = await openMemoryBroker()
  router = broker.connect('router')
})
afterEach(async () => {
  await places?.close()
  await broker.close()
})

const settings = loadSettings({ KEY_OF_groq: 'gsk-1', KEY_OF_gemini: 'key-2-of-gemini' }, import.meta.dirname)

function catalogOf(...providers: ({ name: string } & Record<string, unknown>)[]): Catalog {
  const common = { base_url: 'http://127.0.0.1:1/v1', configured: true, models: [{ id: 'm' }] }
  return catalogSchema.parse({
    providers: providers.map((own) => ({ ...common, env: [`KEY_OF_${own.name}`], ...own })),
    aliases: [],
  })
}

function open(only: string[] = []) {
  const offers: { place: Place; message: BusMessage }[] = []
  const told = collect<BusMessage>()
  const { bus } = broker.connect('worker')
  places = openPlaces({
    bus,
    settings,
    instance: 'w1',
    only,
    onOffer: (place, message) => offers.push({ place, message }),
    onControl: told.add,
  })
  return { places, offers, told, bus }
}

/** Whether somebody takes an offer for the provider. */
async function isServed(provider: string): Promise<boolean> {
  const answers = collect<BusMessage>()
  const returned = router.bus.subscribe(inbox('o1', 'r1', 1), answers.add)
  router.bus.publish(work(provider), new Uint8Array([1]), { reply: inbox('o1', 'r1', 1) })
  // Ordered behind the signal that nobody was there.
  router.bus.publish(inbox('o1', 'r1', 1), new Uint8Array([2]))
  const [first] = await answers.until(1)
  returned.unsubscribe()
  return !first?.noResponders
}

it('serves what is enabled and has its key, or needs none', async () => {
  const { places } = open()
  places.update(catalogOf({ name: 'groq' }, { name: 'keyless' }, { name: 'local', needs_key: false }, { name: 'gemini', enabled: false }))
  expect(places.names).toEqual(['groq', 'local'])
  expect(await isServed('groq')).toBe(true)
  expect(await isServed('local')).toBe(true)
  expect(await isServed('gemini')).toBe(false)
})

it('serves only what it was told to', () => {
  const { places } = open(['gemini'])
  places.update(catalogOf({ name: 'groq' }, { name: 'gemini' }))
  expect(places.names).toEqual(['gemini'])
})

it('follows the catalogue: what is new is served, what is gone or switched off no longer', async () => {
  const { places } = open()
  places.update(catalogOf({ name: 'groq' }))
  places.update(catalogOf({ name: 'groq' }, { name: 'gemini' }))
  expect(places.names).toEqual(['groq', 'gemini'])
  places.update(catalogOf({ name: 'groq', enabled: false }))
  expect(places.names).toEqual([])
  expect(await isServed('groq')).toBe(false)
})

it('keeps a place, and its connections, while nothing about its provider changes', async () => {
  const { places, offers } = open()
  const placeNow = async () => {
    await isServed('groq')
    return offers.at(-1)?.place
  }
  places.update(catalogOf({ name: 'groq' }))
  const before = await placeNow()
  places.update(catalogOf({ name: 'groq' }))
  expect(await placeNow()).toBe(before)
  places.update(catalogOf({ name: 'groq', max_concurrency: 3 }))
  const after = await placeNow()
  expect(after).not.toBe(before)
  expect(after?.provider.max_concurrency).toBe(3)
})

it('what is in flight is still reached when its place is given up, until it has left', async () => {
  const { places, offers, told } = open()
  places.update(catalogOf({ name: 'groq' }))
  await isServed('groq')
  const { place } = offers[0] as { place: Place }
  place.inFlight++
  places.update(catalogOf())
  expect(await isServed('groq')).toBe(false)
  router.bus.publish(control('groq', 'w1', 'r1', 1), new Uint8Array([1]))
  await told.until(1)

  places.left(place)
  const gone = collect<BusMessage>()
  router.bus.subscribe(inbox('i1', 'r1', 1), gone.add)
  router.bus.publish(control('groq', 'w1', 'r1', 1), new Uint8Array([1]), { reply: inbox('i1', 'r1', 1) })
  expect((await gone.until(1))[0]?.noResponders).toBe(true)
  expect(told.items).toHaveLength(1)
})

it('that drains takes no offers, whatever the catalogue says, but is still reached', async () => {
  const { places, told } = open()
  places.update(catalogOf({ name: 'groq' }))
  places.drain()
  places.update(catalogOf({ name: 'groq', weight: 2 }, { name: 'gemini' }))
  expect(await isServed('groq')).toBe(false)
  expect(await isServed('gemini')).toBe(false)
  router.bus.publish(control('groq', 'w1', 'r1', 1), new Uint8Array([1]))
  expect((await told.until(1))[0]?.subject).toBe(control('groq', 'w1', 'r1', 1))
})

it('gives each account its key, and takes up new ones', async () => {
  let keys = ['k1', 'k2']
  const { bus } = broker.connect('worker')
  const changing = { ...settings, keysOf: () => keys }
  places = openPlaces({ bus, settings: changing, instance: 'w1', only: [], onOffer: (place) => served.push(place), onControl() {} })
  const served: Place[] = []
  const accounts = async () => {
    await isServed('groq')
    return [...(served.at(-1)?.accounts ?? [])].map(([name, { headers }]) => [name, headers.authorization])
  }
  places.update(catalogOf({ name: 'groq' }))
  expect(await accounts()).toEqual([
    ['groq-1', 'Bearer k1'],
    ['groq-2', 'Bearer k2'],
  ])
  keys = ['k1', 'k3']
  places.update(catalogOf({ name: 'groq' }))
  expect(await accounts()).toEqual([
    ['groq-1', 'Bearer k1'],
    ['groq-2', 'Bearer k3'],
  ])
})

it('a key that is served is blanked out wherever it is written down', () => {
  const { places } = open()
  places.update(catalogOf({ name: 'gemini' }))
  expect(redactText('the key key-2-of-gemini is wrong')).toBe('the key [redacted] is wrong')
})

it('says why it does not serve what it was asked to serve', () => {
  const { places } = open(['groq', 'nonsense', 'keyless', 'off'])
  const catalog = catalogOf({ name: 'groq' }, { name: 'keyless' }, { name: 'off', enabled: false })
  places.update(catalog)
  expect(places.missing(catalog)).toEqual([
    ['nonsense', 'unknown'],
    ['keyless', 'no key: set KEY_OF_keyless'],
    ['off', 'disabled'],
  ])
})

it('leaves no moment without anybody to take an offer while a provider changes, and hears once what is said of what is in flight', async () => {
  const { bus } = broker.connect('worker')
  const takers: number[] = [0]
  const watched: typeof bus = Object.create(bus, {
    subscribe: {
      value: (...[pattern, ...rest]: Parameters<typeof bus.subscribe>) => {
        const subscription = bus.subscribe(pattern, ...rest)
        if (pattern !== work('groq')) return subscription
        takers.push((takers.at(-1) ?? 0) + 1)
        let live = true
        const unsubscribe = () => {
          if (live) takers.push((takers.at(-1) ?? 0) - 1)
          live = false
          subscription.unsubscribe()
        }
        return { unsubscribe }
      },
    },
  })
  const served: Place[] = []
  const told = collect<BusMessage>()
  places = openPlaces({ bus: watched, settings, instance: 'w1', only: [], onOffer: (place) => served.push(place), onControl: told.add })
  places.update(catalogOf({ name: 'groq' }))
  await isServed('groq')
  const [inFlight] = served as [Place]
  inFlight.inFlight++
  places.update(catalogOf({ name: 'groq', weight: 2 }))
  expect(takers).toEqual([0, 1, 2, 1])
  for (const n of [1, 2]) router.bus.publish(control('groq', 'w1', 'r1', n), new Uint8Array([n]))
  await isServed('groq')
  expect(told.items.map(({ data }) => data[0])).toEqual([1, 2])
  places.left(inFlight)
  places.update(catalogOf({ name: 'groq', enabled: false }))
  expect(takers.at(-1)).toBe(0)
})
