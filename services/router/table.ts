// Pure. The catalogue as routing reads it: every model of every account by every name it goes by, and what never changes
// about it worked out once. Made anew for each catalogue.

import type { Target } from '#contracts/attempt.ts'
import type { Catalog, CatalogProvider, Model } from '#contracts/catalog.ts'
import { aliasIndex } from '#contracts/catalog-lookup.ts'
import type { JobKind } from '#contracts/job.ts'
import { jobKinds } from '#contracts/job.ts'
import type { Strategies } from './strategy.ts'

export interface Candidate {
  provider: CatalogProvider
  model: Model
  target: Target
  /** Its names in health, and in what a job excludes or avoids. */
  keys: readonly [provider: string, account: string, model: string]
  can: ReadonlySet<string>
  /** 0 to 1, from the catalogue. */
  quality: number
  speed: number
  context: number
  cost: number
  /** Among the targets of an alias: 0 is to be taken first. */
  place: number
}

export interface RoutingTable {
  /** What may serve a request that leaves the choice to us: has a key. */
  open: ReadonlyMap<JobKind, readonly Candidate[]>
  /** The same, and those without a key. */
  known: ReadonlyMap<JobKind, readonly Candidate[]>
  named(name: string): readonly Candidate[] | undefined
  strategies: Strategies
  /** For jobs that name none. */
  defaultStrategy: string
}

export interface TableOptions {
  strategies?: Strategies
  defaultStrategy?: string
}

export function routingTable(
  { providers, aliases }: Catalog,
  { strategies = new Map(), defaultStrategy = 'auto' }: TableOptions = {},
): RoutingTable {
  const all: Candidate[] = []
  const names = new Map<string, Candidate[]>()
  const add = (name: string, candidate: Candidate) => {
    const present = names.get(name)
    if (present) present.push(candidate)
    else names.set(name, [candidate])
  }
  for (const provider of providers) {
    if (!provider.enabled) continue
    const models = provider.models.filter(({ enabled }) => enabled)
    const accounts = provider.accounts.length > 0 ? provider.accounts : [`${provider.name}-1`]
    for (const account of accounts) {
      for (const model of models) {
        const candidate = candidateOf(provider, account, model)
        all.push(candidate)
        for (const name of namesOf(provider, model)) add(name, candidate)
      }
    }
  }
  return { ...byKind(all), named: lookup(names, aliases), strategies, defaultStrategy }
}

function namesOf({ name, aliases }: CatalogProvider, { id, canonical }: Model): Set<string> {
  return new Set([id, ...[name, ...aliases].map((own) => `${own}/${id}`), ...(canonical ? [canonical] : [])])
}

/** Exact names first, then aliases; those with a target in several places keep to their order. */
function lookup(names: ReadonlyMap<string, Candidate[]>, aliases: Catalog['aliases']): RoutingTable['named'] {
  const targetsOf = aliasIndex(aliases)
  const placed = (name: string) => {
    const present = targetsOf(name).filter((target) => names.has(target))
    return present.flatMap((target, place) => (names.get(target) ?? []).map((candidate) => ({ ...candidate, place })))
  }
  const plain = new Map(aliases.filter(([alias]) => !alias.includes('*')).map(([alias]) => [alias, placed(alias)]))
  return (name) => {
    const found = names.get(name) ?? plain.get(name) ?? placed(name)
    return found.length > 0 ? found : undefined
  }
}

function byKind(all: readonly Candidate[]): Pick<RoutingTable, 'open' | 'known'> {
  const known = new Map(jobKinds.map((kind) => [kind, all.filter((candidate) => serves(candidate, kind))]))
  known.set('embedding', comparable(known.get('embedding') ?? []))
  const open = [...known].map(([kind, candidates]) => [kind, candidates.filter(({ provider }) => provider.configured)] as const)
  return { known, open: new Map(open) }
}

/** Whether it takes this kind of job. Image models make images or change them; which of the two is for the job to say. */
export function serves({ can, provider }: Candidate, kind: JobKind): boolean {
  switch (kind) {
    case 'chat':
      return can.has('chat')
    case 'embedding':
      return can.has('embeddings')
    case 'speech':
      return can.has('tts')
    case 'transcription':
      // A chat model that hears is asked to write down what it hears, where the catalogue says how.
      return can.has('stt') || (can.has('audio_in') && can.has('chat') && provider.media.transcription !== undefined)
    case 'image':
      return can.has('image_gen') || can.has('image_edit')
  }
}

/**
 * Vectors of two models cannot be compared, so whoever does not name one gets the same for every request, whatever fails: that of
 * an alias' first target with a key, else the model that most of the providers with keys have, then the better one.
 */
export function comparable(candidates: readonly Candidate[]): Candidate[] {
  const groups = [...Map.groupBy(candidates, ({ model }) => model.canonical ?? model.id)]
  const usable = (group: readonly Candidate[]) => group.filter(({ provider }) => provider.configured).length
  const best = (group: readonly Candidate[]) => Math.max(...group.map(({ quality }) => quality))
  const placeOf = (group: readonly Candidate[]) =>
    Math.min(...group.map(({ place, provider }) => place + (provider.configured ? 0 : NO_KEY)))
  groups.sort(([aName, a], [bName, b]) => placeOf(a) - placeOf(b) || usable(b) - usable(a) || best(b) - best(a) || (aName < bName ? -1 : 1))
  return groups[0]?.[1] ?? []
}

/** Behind every place in an alias. */
const NO_KEY = 1e6

function candidateOf(provider: CatalogProvider, account: string, model: Model): Candidate {
  return {
    provider,
    model,
    target: { prov: provider.name, account, model: model.id, billable: provider.metered },
    keys: [provider.name, `${provider.name}/${account}`, `${provider.name}/${account}/${model.id}`],
    can: new Set([...model.capabilities, ...extrasOf(provider)]),
    quality: byRank(model.intelligence_rank),
    speed: byRank(model.speed_rank),
    context: Math.min(Math.max((Math.log2(model.context_window) - LEAST_CONTEXT) / (MOST_CONTEXT - LEAST_CONTEXT), 0), 1),
    cost: provider.metered ? 0 : 1,
    place: 0,
  }
}

/** What an answer to a chat can have beside its text: whoever takes the wish out of a request, or cannot say it, must not be asked. */
function extrasOf({ format, request_policy: { drop, clamp } }: CatalogProvider): string[] {
  const choices = format === 'chat-completions' && !drop.includes('n') && (clamp.n ?? 2) > 1
  const logprobs = format !== 'messages' && !drop.includes('logprobs')
  return [...(choices ? ['choices'] : []), ...(logprobs ? ['logprobs'] : [])]
}

/** 8 thousand tokens and a million, as powers of two. */
const LEAST_CONTEXT = 13
const MOST_CONTEXT = 20
/** A model that nobody has ranked. */
const UNRANKED = 50
const UNRANKED_VALUE = 0.5

/** 1 for rank 1, one half for rank 7, and never 0. */
function byRank(rank: number): number {
  return rank >= UNRANKED ? UNRANKED_VALUE : 6 / (5 + rank)
}
