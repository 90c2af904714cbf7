// The demo: the simulator as a provider, so that a first start without any key answers something.

import type { Provider } from '#contracts/catalog.ts'
import { provider } from '#contracts/catalog.ts'

/** Its models are called `demo/…`, so that every answer says where it comes from. */
export function demoProvider(baseUrl: string): Provider {
  const capabilities = ['chat', 'tools', 'vision', 'json_schema']
  return provider.parse({
    name: 'demo',
    display_name: 'Built-in demo',
    base_url: baseUrl,
    needs_key: false,
    weight: 0,
    models: [
      { id: 'demo/chat', capabilities, context_window: 131_072 },
      { id: 'demo/reasoner', capabilities: [...capabilities, 'reasoning'], context_window: 131_072, intelligence_rank: 60 },
    ],
  })
}
