// The provider `alpha` of the journeys: the simulator, with a model for each thing a story needs.

import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'

const capabilities = ['chat', 'tools', 'vision', 'json_schema', 'reasoning']
const model = (id: string) => ({ id, capabilities, context_window: 20_000_000 })

/** freeway.json with `alpha` alone. `m-large` talks, `echo` repeats the user, `m-reasoner` thinks aloud, `deep/seek-v4:free` has a name with a slash. */
export function configWith({ url }: Pick<Simulator, 'url'>, more: object = {}): object {
  return {
    providers: {
      alpha: {
        base_url: `${url}/v1`,
        api_key: 'sk-alpha',
        models: ['m-large', 'echo', 'm-reasoner', 'deep/seek-v4:free'].map(model),
      },
    },
    aliases: { 'opc/large': 'alpha/m-large' },
    ...more,
  }
}

export const startUpstream = (): Promise<Simulator> => startSimulator({ apiKey: 'sk-alpha' })
