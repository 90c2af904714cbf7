// What most journeys stand on: one gateway for a whole test file, over the simulator as its provider, which forgets between the tests.

import { afterAll, beforeAll, beforeEach } from 'vitest'
import type { Simulator } from '#services/simulator/simulator.ts'
import { type Gateway, type GatewayOptions, keyHash, startGateway } from '#test/support/gateway.ts'
import { configWith, startUpstream } from '#test/support/upstream.ts'

export interface SetupOptions extends Pick<GatewayOptions, 'env' | 'runtime'> {
  /** The keys of the clients by their names; without any, none is needed. */
  keys?: Record<string, string>
  /** Content of freeway.json; `alpha` and the clients of `keys` unless told otherwise. */
  config?: (upstream: Simulator) => object
}

export interface Setup {
  readonly upstream: Simulator
  readonly gateway: Gateway
}

/** To be called at the top of a test file, before its own hooks. What it returns is there once the tests run, and ends after them. */
export function setUpGateway({ keys, config = (upstream) => configFor(upstream, keys), ...options }: SetupOptions = {}): Setup {
  const setup = {} as { upstream: Simulator; gateway: Gateway }
  beforeAll(async () => {
    setup.upstream = await startUpstream()
    setup.gateway = await startGateway({ ...options, config: config(setup.upstream) })
  })
  afterAll(async () => {
    // Either is missing if its start failed.
    const { upstream, gateway } = setup as Partial<Setup>
    await gateway?.[Symbol.asyncDispose]()
    await upstream?.close()
  })
  beforeEach(() => setup.upstream.reset())
  return setup
}

function configFor(upstream: Simulator, keys?: Record<string, string>): object {
  if (!keys) return configWith(upstream)
  return configWith(upstream, { clients: Object.entries(keys).map(([name, key]) => ({ name, key_hash: keyHash(key) })) })
}
