// A provider's habits as its worker knows them: those of the catalogue, and those that its refusals have taught since the start.

import { type Adaptation, bothAdaptations } from '#contracts/adaptation.ts'
import type { Provider } from '#contracts/catalog.ts'
import { compilePolicy, type Fields, policyHeaders } from './request-policy.ts'

export interface Habits {
  /** Sent with every call. */
  readonly headers: Record<string, string>
  /** What is done to a request for this model. `adapt`: after a refusal, for this request. */
  changeFor(model: string, adapt: Adaptation | undefined): (fields: Fields) => void
  /** A refused request went through with this: the next one shall need no refusal. */
  remember(model: string, adapt: Adaptation): void
}

const MAX_MODELS = 200
const APP_NAME = 'freeway'

export function createHabits({ request_policy: policy, models }: Provider): Habits {
  const changes = new Map<string, (fields: Fields) => void>()
  const learned = new Map<string, Adaptation>()
  const compile = (name: string, adapt: Adaptation | undefined) =>
    compilePolicy(
      policy,
      models.find(({ id }) => id === name),
      adapt,
    )
  return {
    headers: policyHeaders(policy.headers, { app_name: APP_NAME }),
    changeFor(name, adapt) {
      if (adapt) return compile(name, bothAdaptations(learned.get(name) ?? {}, adapt))
      const known = changes.get(name)
      if (known) return known
      const change = compile(name, learned.get(name))
      if (changes.size < MAX_MODELS) changes.set(name, change)
      return change
    },
    remember(name, adapt) {
      if (!learned.has(name) && learned.size >= MAX_MODELS) return
      learned.set(name, bothAdaptations(learned.get(name) ?? {}, adapt))
      changes.delete(name)
    },
  }
}
