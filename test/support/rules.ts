// The shape of the house as functions: source files in, faults out, each with the file it is about.

import type { Source } from './sources.ts'
import { isTest, serviceOf } from './sources.ts'

export type Rule = (sources: readonly Source[]) => string[]

const production = (sources: readonly Source[]) => sources.filter(({ path }) => !isTest(path))
const faults = (sources: readonly Source[], find: (source: Source) => string[]) =>
  sources.flatMap((source) => find(source).map((fault) => `${source.path}: ${fault}`))

/** The command line: what starts services, in this process or in others. */
const opensDoors = (path: string) =>
  ['freeway', 'processes', 'cluster', 'backbones', 'broker-access'].some((name) => path === `services/${name}.ts`) ||
  path.startsWith('services/doctor/')

/**
 * The file named like its folder. Adapters of a port are chosen from outside, so they are doors as well; and so is what is of use
 * without the service: its facts, and the trial of a key.
 */
const isDoor = (path: string) =>
  /^services\/([^/]+)\/\1\.ts$/.test(path) ||
  /^services\/(bus|telemetry\/store)\/[^/]+\.ts$/.test(path) ||
  /^services\/(router\/(shipped|build-catalog|local-servers)|workers\/key-trial)\.ts$/.test(path)

export const contractsImportOnlyZodAndThemselves: Rule = (sources) =>
  faults(
    production(sources).filter(({ path }) => path.startsWith('contracts/')),
    ({ imports }) =>
      imports
        .filter((to) => to.package !== 'zod' && !to.path?.startsWith('contracts/') && to.specifier !== 'node:buffer')
        .map(({ specifier }) => `contracts may not import ${specifier}`),
  )

export const servicesDoNotKnowEachOther: Rule = (sources) =>
  faults(
    production(sources).filter(({ path }) => path.startsWith('services/') && !opensDoors(path)),
    ({ path: from, imports }) =>
      imports
        .filter(({ path }) => path !== undefined && !path.startsWith('contracts/') && !isNeighbour(from, path))
        .map(({ specifier }) => `may not import ${specifier}`),
  )

/** Folders of which several services make use: each is entered by its door, like a service. */
const shared = ['quota', 'trace']

function isNeighbour(from: string, to: string): boolean {
  if (opensDoors(to) || !to.startsWith('services/')) return false
  const service = serviceOf(to)
  return service === undefined || service === serviceOf(from) || (shared.includes(service) && isDoor(to))
}

export const servicesAreEnteredByTheirDoors: Rule = (sources) =>
  faults(
    sources.filter(({ path }) => isTest(path) || opensDoors(path)),
    ({ path: from, imports }) =>
      imports
        .filter(({ path = '' }) => serviceOf(path) !== undefined && serviceOf(path) !== serviceOf(from) && !isDoor(path))
        .map(({ specifier }) => `${specifier} is not a door`),
  )

/** Paths by their beginning. */
const owners: readonly (readonly [packages: RegExp, paths: readonly string[]])[] = [
  [/^(@nats-io\/.*|nats)$/, ['services/bus/nats']],
  [/^mongodb$/, ['services/telemetry/store/mongo']],
  [/^node:sqlite$/, ['services/telemetry/store/sqlite', 'services/bus/sqlite']],
  [/^srvx$/, ['services/ingress/']],
  [/^discord-interactions$/, ['services/ingress/members/interaction.ts']],
  [/^@elysiajs\/stream$/, ['services/ingress/live/reader.ts']],
  [/^(@elysiajs\/.*|elysia)$/, ['services/ingress/routes.ts', 'services/ingress/front.ts']],
  [/^@opentelemetry\//, ['services/trace/trace.ts', 'services/metrics.ts']],
  [/^undici$/, ['services/workers/']],
]

export const packagesHaveOneOwner: Rule = (sources) =>
  faults(production(sources), ({ path, imports }) =>
    imports.flatMap(({ package: name = '' }) => {
      const owned = owners.find(([packages]) => packages.test(name))?.[1]
      return !owned || owned.some((beginning) => path.startsWith(beginning)) ? [] : [`${name} belongs to ${owned.join(', ')}`]
    }),
  )

/** Clock, chance and world: what a decision takes as arguments instead. */
const impure =
  /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\.|\bMath\.random\b|\brandom(UUID|Bytes|Int)\b|\bgetRandomValues\b|\bprocess\.|\bset(Timeout|Interval|Immediate)\b|\bfetch\(|\bconsole\./g
const world = /^node:(fs|net|http|https|http2|os|process|child_process|cluster|dgram|dns|timers|tls|sqlite|worker_threads)(\/|$)/

export const isPure = ({ path, text }: Source): boolean =>
  !isTest(path) && (path.startsWith('contracts/') || /\bPure\./.test(/^(?:\/\/[^\n]*\n)+/.exec(text)?.[0] ?? ''))

/** Also what a pure file imports has to be free of them. */
export const pureFilesSeeNoWorld: Rule = (sources) => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  return faults(sources.filter(isPure), (pure) =>
    reachable(pure, byPath).flatMap(({ path, code, imports }) => {
      const found = [
        ...[...code.matchAll(impure)].map(([word]) => word),
        ...imports.flatMap((to) => (world.test(to.package ?? '') ? [to.specifier] : [])),
      ]
      return found.map((word) => (path === pure.path ? `uses ${word}` : `uses ${word} through ${path}`))
    }),
  )
}

function reachable(from: Source, byPath: ReadonlyMap<string, Source>): Source[] {
  const seen = new Set([from])
  for (const source of seen) {
    for (const path of valueImports(source)) {
      const to = byPath.get(path)
      if (to) seen.add(to)
    }
  }
  return [...seen]
}

/** Types are gone when the program runs. */
function valueImports(source: Source | undefined): string[] {
  return (source?.imports ?? []).flatMap(({ path, typeOnly }) => (path === undefined || typeOnly ? [] : [path]))
}

export const importsMakeNoCircle: Rule = (sources) => {
  const byPath = new Map(sources.map((source) => [source.path, source]))
  const done = new Set<string>()
  const found: string[] = []
  function visit(path: string, trail: readonly string[]): void {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      return
    }
    if (done.has(path)) return
    for (const to of valueImports(byPath.get(path))) visit(to, [...trail, path])
    done.add(path)
  }
  for (const { path } of sources) visit(path, [])
  return found
}

const MAX_LINES = 250

export const filesStayShort: Rule = (sources) =>
  faults(
    production(sources).filter(({ path }) => /^(contracts|services)\//.test(path)),
    ({ text }) => {
      const lines = text.split('\n').length - 1
      return lines > MAX_LINES ? [`${lines} lines; look for the second idea in it`] : []
    },
  )

export const thereAreNoEnums: Rule = (sources) =>
  faults(sources, ({ code }) => [...code.matchAll(/\benum\s+\w+\s*\{/g)].map(() => 'enum; take a const object and a union type'))

export const subjectsAreSpelledOnce: Rule = (sources) =>
  faults(
    production(sources).filter(({ path }) => path !== 'contracts/subjects.ts'),
    ({ uncommented }) =>
      [...uncommented.matchAll(/\bfw\.v1\b[^'"`\s]*/g)].map(([subject]) => `spells ${subject}; take it from contracts/subjects.ts`),
  )

/** An empty `catch` says in words why, in it or on the line before. */
export const noErrorIsSwallowedSilently: Rule = (sources) =>
  faults(sources, ({ text, code }) => {
    const lines = text.split('\n')
    return [
      ...code.matchAll(/\bcatch\s*(?:\([^)]*\))?\s*\{\s*\}|\.catch\(\s*(?:\(\w*\)|\w+)\s*=>\s*(?:\{\s*\}|undefined|null)\s*\)/g),
    ].flatMap((match) => {
      const first = code.slice(0, match.index).split('\n').length - 1
      const last = first + match[0].split('\n').length - 1
      const explained = lines.slice(Math.max(0, first - 1), last + 1).some((line) => /\/[/*]/.test(line))
      return explained ? [] : [`line ${first + 1}: an error is swallowed without a reason`]
    })
  })

export interface Manifest {
  scripts?: Record<string, string>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

export function importsAreDeclared(sources: readonly Source[], manifest: Manifest): string[] {
  return faults(sources, ({ path, imports }) =>
    imports.flatMap(({ package: name }) => {
      if (name === undefined || name.startsWith('node:') || manifest.dependencies?.[name]) return []
      if (isTest(path)) return manifest.devDependencies?.[name] ? [] : [`${name} is not in package.json`]
      return [`${name} is not in the dependencies of package.json`]
    }),
  )
}

/** Imported, or a tool that a script, the configuration or a test calls by its name. */
export function dependenciesAreUsed(sources: readonly Source[], manifest: Manifest, configuration: string): string[] {
  const imported = new Set(sources.flatMap(({ imports }) => imports.map((to) => to.package)))
  const called = [JSON.stringify(manifest.scripts ?? {}), configuration, ...sources.map(({ uncommented }) => uncommented)].join('\n')
  const names = [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies].flatMap((group) =>
    Object.keys(group ?? {}),
  )
  return names.filter((name) => {
    const word = name.replace('@types/', '')
    return !imported.has(name) && !new RegExp(`["'/]${word.replaceAll('/', '\\/')}["'/]`).test(called)
  })
}

export function versionsArePinned(manifest: Manifest): string[] {
  return [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies]
    .flatMap((group) => Object.entries(group ?? {}))
    .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
    .map(([name, version]) => `${name}: ${version}`)
}

interface LockFile {
  packages: Record<string, { version?: string; optionalDependencies?: Record<string, string> }>
}

/** Else npm ci refuses the file on a machine whose platform was left out. */
export function lockFileHoldsEveryPlatform({ packages }: LockFile): string[] {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter((name) => !packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`]),
  )
}

const npmCommands = new Set(['ci', 'install', 'i', 'pack', 'audit', 'exec', 'init', 'run'])

export function readmeNamesExistingScripts(readme: string, { scripts = {} }: Manifest): string[] {
  const named = [...readme.matchAll(/\bnpm (?:run )?([a-z][a-z:-]*)/g)].map((match) => match[1] as string)
  return named.filter((name) => !npmCommands.has(name) && scripts[name] === undefined)
}
