// The demo: the simulator as a provider, so that a first start without any key answers something.

import type { Provider } from '#contracts/catalog.ts'
import { provider } from '#contracts/catalog.ts'

/** Its models are called `demo/…`, so that every answer says where it comes from. */
export function demoProvider(baseUrl: string): Provider {
  const capabilities = ['chat', 'tools', 'vision', 'json_schema']
  return provider.parse({
    name: 'demo',
    display_name: 'Built-in demo',
    status: 'local',
    base_url: baseUrl,
    needs_key: false,
    weight: 0,
    models: [
      { id: 'demo/chat', display_name: 'Demo chat', capabilities, context_window: 131_072 },
      {
        id: 'demo/reasoner',
        display_name: 'Demo reasoner',
        capabilities: [...capabilities, 'reasoning'],
        context_window: 131_072,
        intelligence_rank: 60,
      },
      { id: 'demo/embedding', display_name: 'Demo embedding', capabilities: ['embeddings'] },
      { id: 'demo/transcription', display_name: 'Demo transcription', capabilities: ['stt'] },
      { id: 'demo/speech', display_name: 'Demo speech', capabilities: ['tts'] },
      { id: 'demo/image', display_name: 'Demo image', capabilities: ['image_gen', 'image_edit'] },
    ],
  })
}
