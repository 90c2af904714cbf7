// What the client library tells a watch, by hand: no server can be brought to do this when it is wanted.

import { expect, it } from 'vitest'
import type { BusStatus, KeyValueEntry } from '#contracts/bus.ts'
import type { NatsLink } from './nats.ts'
import { openNatsKeyValue } from './nats-key-value.ts'

interface Told {
  key: string
  value: Uint8Array
  revision: number
  operation: string
}

/** Ends when it is stopped, or at once with `failure`. */
function watchOf(entries: Told[], failure?: Error) {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  async function* iterate() {
    yield* entries
    if (failure) throw failure
    await stopped
  }
  return Object.assign(iterate(), { stop })
}

it('a watch that fails while it begins anew begins once more, and the process goes on', async () => {
  const entry: Told = { key: 'a', value: new Uint8Array([1]), revision: 7, operation: 'PUT' }
  const watches = [watchOf([]), watchOf([], new Error('unable to recreate ordered consumer')), watchOf([entry])]
  let begun = 0
  const store = {
    async watch({ initializedFn }: { initializedFn(): void }) {
      const watch = watches[begun++]
      // The one that fails never gets so far.
      if (begun !== 2) initializedFn()
      return watch
    },
  }
  let tell: (status: BusStatus) => void = () => {}
  const link = {
    nc: {
      isClosed: () => false,
      jetstreamManager: async () => ({ streams: { info: async () => ({}) } }),
      jetstream: () => ({ views: { kv: async () => store } }),
    },
    whileConnected: (_: string, call: () => unknown) => call(),
    onStatus(listener: typeof tell) {
      tell = listener
      return () => {}
    },
  }
  const kv = await openNatsKeyValue(link as unknown as NatsLink, 'b')
  const { promise: heard, resolve: hear } = Promise.withResolvers<KeyValueEntry>()
  const watch = await kv.watch('>', hear)
  tell('reconnected')
  expect(await heard).toEqual({ key: 'a', value: entry.value, revision: 7 })
  watch.unsubscribe()
})
