// Rules of this deployment that admins may change while it runs: what is required of clients, and which models are reserved to a tier.

import { z } from 'zod'
import { accessSettingsChange, role, tierSettings } from '#contracts/account.ts'
import { FreewayError } from '#contracts/failure.ts'
import { accessKeys, tiersKey } from '#contracts/subjects.ts'
import { openLedger } from '#services/ledger.ts'
import { decoded } from '../path-part.ts'
import { json } from '../respond.ts'
import type { Route } from '../routes.ts'
import { type AccessAdmin, changing } from './changing.ts'
import { checked, jsonBody } from './json-body.ts'

const kinds = ['chat', 'embedding', 'speech', 'transcription', 'image'] as const
/** null opens it again. */
export const tierChange = z.object({
  models: z.record(z.string().min(1).max(200), role.nullable()).default({}),
  kinds: z.partialRecord(z.enum(kinds), role.nullable()).default({}),
})
export const reservation = z.object({ model: z.string().min(1).max(200), tier: role })

export function settingsRoutes(admin: AccessAdmin): Route[] {
  const { kv, policy } = admin
  const ledger = openLedger(kv)
  const path = '/api/settings'

  async function change(request: Request, action: string, apply: (current: object) => object): Promise<Response> {
    const { after } = await changing(admin, request, action, async () => {
      const before = policy.settings
      // Only what was set is stored: what freeway.json says of the rest goes on to hold.
      const stored = await ledger.update<object>(accessKeys.settings, (current) => accessSettingsChange.parse(apply(current ?? {})))
      const after = policy.settingsOver(stored ?? {})
      await policy.seen(({ settings }) => JSON.stringify(settings) === JSON.stringify(after))
      return { target: 'settings', before, after }
    })
    return json(after)
  }

  return [
    { method: 'GET', path, access: 'admin', handle: () => json(policy.settings) },
    {
      method: 'PATCH',
      path,
      access: 'admin',
      async handle(request) {
        const sent = await jsonBody(request, accessSettingsChange)
        return change(request, 'settings.change', (current) => ({ ...current, ...sent }))
      },
    },
    {
      method: 'POST',
      path,
      access: 'admin',
      async handle(request) {
        const sent = await jsonBody(request, accessSettingsChange)
        return change(request, 'settings.replace', () => sent)
      },
    },
    { method: 'DELETE', path, access: 'admin', handle: (request) => change(request, 'settings.reset', () => ({})) },
  ]
}

export function tierRoutes(admin: AccessAdmin): Route[] {
  const { config, policy } = admin
  const ledger = openLedger(config)
  const path = '/api/tiers'

  async function change(request: Request, sent: z.infer<typeof tierChange>, status = 200): Promise<Response> {
    const { after } = await changing(admin, request, 'tiers.change', async () => {
      const before = policy.tiers
      const written = await ledger.update<object>(tiersKey, (current) => {
        const { models, kinds } = tierSettings.parse(current ?? {})
        return tierSettings.parse({ models: merged(models, sent.models), kinds: merged(kinds, sent.kinds) })
      })
      await policy.seen(({ tiers }) => JSON.stringify(tiers) === JSON.stringify(written))
      return { target: 'tiers', before, after: written }
    })
    return json(after, {}, status)
  }

  return [
    { method: 'GET', path, access: 'admin', handle: () => json(policy.tiers) },
    { method: 'PATCH', path, access: 'admin', handle: async (request) => change(request, await jsonBody(request, tierChange)) },
    {
      method: 'POST',
      path,
      access: 'admin',
      async handle(request) {
        const { model, tier } = await jsonBody(request, reservation)
        return change(request, checked(tierChange, { models: { [model]: tier } }), 201)
      },
    },
    {
      method: 'DELETE',
      path: `${path}/*`,
      access: 'admin',
      handle(request, encoded) {
        const model = decoded(encoded)
        if (Object.hasOwn(policy.tiers.models, model)) return change(request, checked(tierChange, { models: { [model]: null } }))
        throw new FreewayError('invalid_request_error', 'this model is not reserved to a tier', { status: 404, param: 'model' })
      },
    },
  ]
}

/** Without what is set to null. */
function merged<T>(before: Partial<Record<string, T>>, change: Partial<Record<string, T | null>>): Record<string, T> {
  const all = Object.entries({ ...before, ...change })
  return Object.fromEntries(all.flatMap(([name, value]) => (value === null || value === undefined ? [] : [[name, value]])))
}
