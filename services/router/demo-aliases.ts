// Pure. With the demo, every alias leads somewhere: to the demo's model for the same kind of work, after all real ones.

import type { Provider } from '#contracts/catalog.ts'
import type { Alias, Known } from './build-catalog.ts'

const kinds = ['chat', 'embeddings', 'image_gen', 'stt', 'tts']

export function withDemo({ providers, aliases }: Known, demo: Provider): Known {
  const kindOf = new Map<string, string | undefined>(
    providers.flatMap(({ name, models }) => models.map((model) => [`${name}/${model.id}`, kind(model)] as const)),
  )
  const first = new Map([...aliases].reverse())
  const added = [...first].flatMap(([name, target]): Alias[] => {
    const wanted = kindOf.get(target)
    const model = wanted && demo.models.find((own) => kind(own) === wanted)
    return model ? [[name, `${demo.name}/${model.id}`]] : []
  })
  return { providers: [...providers, demo], aliases: [...aliases, ...added] }
}

function kind({ capabilities }: { capabilities: readonly string[] }): string | undefined {
  return kinds.find((name) => capabilities.includes(name))
}
