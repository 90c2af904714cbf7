// What a person should know after a start: where it listens, what it runs on, which providers it can use, and what to type next.

import type { Catalog, CatalogProvider } from '#contracts/catalog.ts'

export interface BannerFacts {
  version: string
  url: string
  bus: string
  store: string
  catalog: Catalog
  adminToken: { token: string; created: boolean; path: string | undefined }
  demo: boolean
  /** There is no client yet, so that nobody on this machine needs a key. */
  open: boolean
}

export type ClusterFacts = Pick<BannerFacts, 'version' | 'bus' | 'adminToken' | 'open'> & { urls: string[] }

export function banner({ version, url, bus, store, catalog, adminToken, demo, open }: BannerFacts): string {
  const enabled = catalog.providers.filter((provider) => provider.enabled)
  const ready = enabled.filter((provider) => provider.configured)
  const lacking = enabled.filter((provider) => !provider.configured)
  const lines = [
    `freeway ${version}   one key, one URL, every free tier`,
    '',
    `  API        ${url}/v1`,
    `  bus        ${bus}`,
    `  store      ${store}`,
    `  providers  ${ready.map(({ name }) => name).join(', ') || 'none'}`,
    ...(lacking.length > 0 ? [`  no key     ${withoutKey(lacking)}`] : []),
    ...entry({ adminToken, open }),
    ...(demo ? ['', '  Answers come from the built-in demo. Set a provider key, e.g. GROQ_API_KEY, and start again for real ones.'] : []),
    ...tryIt(url, open),
  ]
  return lines.join('\n')
}

/** The same of a cluster, as far as its first process knows it: store and providers are those of others. `urls`: of its ingresses. */
export function clusterBanner({ version, urls, bus, adminToken, open }: ClusterFacts): string {
  const lines = [
    `freeway ${version}   a cluster on this machine`,
    '',
    `  API        ${urls.map((url) => `${url}/v1`).join('  ')}`,
    `  bus        ${bus}`,
    ...entry({ adminToken, open }),
    ...tryIt(urls[0] ?? '', open),
  ]
  return lines.join('\n')
}

function entry({ adminToken, open }: Pick<BannerFacts, 'adminToken' | 'open'>): string[] {
  return [
    `  access     ${open ? 'without a key from this machine, until there is a client' : 'with the key of a client'}`,
    `  admin      ${placeOfToken(adminToken)}`,
  ]
}

function tryIt(url: string, open: boolean): string[] {
  return ['', '  Try it:', '', ...example(url, open).map((line) => `    ${line}`), '']
}

const NAMED = 6

/** Those with the most models first; a list of fifty helps nobody. */
function withoutKey(lacking: readonly CatalogProvider[]): string {
  const models = ({ models }: CatalogProvider) => models.filter(({ enabled }) => enabled).length
  const named = lacking.toSorted((a, b) => models(b) - models(a)).slice(0, NAMED)
  const more = lacking.length - named.length
  return named.map(({ name, env }) => `${name}${env[0] ? ` (${env[0]})` : ''}`).join(', ') + (more > 0 ? ` and ${more} more` : '')
}

/** The token itself is printed once, when it is generated; later only its place. */
function placeOfToken({ token, created, path }: BannerFacts['adminToken']): string {
  if (path === undefined) return 'token from FREEWAY_ADMIN_TOKEN'
  return created ? `token ${token}  (kept in ${path}, shown only now)` : `token in ${path}`
}

function example(url: string, open: boolean): string[] {
  return [
    `curl ${url}/v1/chat/completions \\`,
    ...(open ? [] : ["  -H 'authorization: Bearer YOUR_KEY' \\"]),
    "  -H 'content-type: application/json' \\",
    `  -d '{"messages":[{"role":"user","content":"Hello!"}],"stream":true}'`,
  ]
}
