// Pure. Which access tier lies between a caller and what it asks for, and what a caller sees of the catalogue for it.

import type { TierSettings } from '#contracts/account.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import { aliasIndex } from '#contracts/catalog-lookup.ts'
import type { JobKind, Need } from '#contracts/job.ts'

/** The tiers of the models behind any name that a client may write; one that is open is enough, for the router keeps to it. */
export type ModelTiers = (name: string) => readonly string[]

/** Names lead where they do in the router: exact ones first, then aliases, all of whose targets count. */
export function modelTiers({ providers, aliases }: Pick<Catalog, 'providers' | 'aliases'>): ModelTiers {
  const tiers = new Map<string, string[]>()
  const add = (name: string, tier: string) => {
    const known = tiers.get(name)
    if (!known) tiers.set(name, [tier])
    else if (!known.includes(tier)) known.push(tier)
  }
  for (const provider of providers.filter(({ enabled }) => enabled)) {
    for (const { id, canonical, tier, enabled } of provider.models) {
      if (!enabled) continue
      const names = [provider.name, ...provider.aliases].map((name) => `${name}/${id}`)
      for (const name of new Set([id, ...names, canonical ?? id])) add(name, tier)
    }
  }
  const targetsOf = aliasIndex(aliases)
  const behind = (alias: string) => [...new Set(targetsOf(alias).flatMap((target) => tiers.get(target) ?? []))]
  const plain = new Map(aliases.filter(([alias]) => !alias.includes('*')).map(([alias]) => [alias, behind(alias)]))
  return (name) => tiers.get(name) ?? plain.get(name) ?? behind(name)
}

export interface Wanted {
  /** As the client named it; undefined: the router chooses among what is open. */
  model: string | undefined
  kind: JobKind
  need?: Pick<Need, 'ctx'>
}

/** The tier that is missing, or undefined. `roles`: of the caller, beside `public`; undefined: all. */
export function lockedBy(
  { model, kind }: Wanted,
  roles: readonly string[] | undefined,
  own: TierSettings,
  models: ModelTiers,
): string | undefined {
  if (roles === undefined) return undefined
  const ofKind = own.kinds[kind]
  if (ofKind !== undefined && !isOpen(ofKind, roles)) return ofKind
  if (model === undefined) return undefined
  const tiers = tiersOf(model, own, models)
  return tiers.length === 0 || tiers.some((tier) => isOpen(tier, roles)) ? undefined : tiers[0]
}

/** What one caller sees of a model by its name. */
export interface View {
  /** `public`: open to every key. Of several models behind a name that of the easiest to reach. */
  tierOf(name: string): string
  /** Whether it may be used for anything that it can do. */
  mayUse(name: string, capabilities: readonly string[]): boolean
}

export function viewOf(roles: readonly string[] | undefined, own: TierSettings, models: ModelTiers): View {
  return {
    tierOf(name) {
      const tiers = tiersOf(name, own, models)
      return tiers.find((tier) => tier === 'public') ?? tiers.find((tier) => isOpen(tier, roles ?? [])) ?? tiers[0] ?? 'public'
    },
    mayUse(name, capabilities) {
      const kinds = new Set(capabilities.map((word) => kindOf[word] ?? 'chat'))
      return [...kinds].some((kind) => lockedBy({ model: name, kind }, roles, own, models) === undefined)
    },
  }
}

/** What is no kind of request by itself is something that a chat may need. */
const kindOf: Readonly<Record<string, JobKind>> = {
  embeddings: 'embedding',
  tts: 'speech',
  stt: 'transcription',
  image_gen: 'image',
  image_edit: 'image',
}

const isOpen = (tier: string, roles: readonly string[]) => tier === 'public' || roles.includes(tier)

/** None: nobody knows the name. */
function tiersOf(name: string, { models: own }: TierSettings, models: ModelTiers): readonly string[] {
  const reserved = reservation(name, own)
  return reserved === undefined ? models(name) : [reserved]
}

function reservation(name: string, own: TierSettings['models']): string | undefined {
  if (Object.hasOwn(own, name)) return own[name]
  const virtual = virtualModelOf(name)
  if (virtual === undefined) return undefined
  // `fast`, `freeai-fast`, `freeway-fast`: whoever reserves one of them means all.
  const same = Object.keys(own).find((other) => virtualModelOf(other) === virtual)
  return same === undefined ? undefined : own[same]
}
