// The way to the providers: names, proxies and the kinds of addresses.

import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import type { Provider } from '#contracts/catalog.ts'
import { type Finding, fault, ok, warn } from './finding.ts'

const NAMES_WITHIN_MS = 5_000

type Environment = Readonly<Record<string, string | undefined>>

export async function checkNetwork(providers: readonly Pick<Provider, 'name' | 'base_url'>[], env: Environment): Promise<Finding[]> {
  const hosts = new Set(providers.map(({ base_url }) => new URL(base_url).hostname).filter((host) => !isAddress(host)))
  const found = await Promise.all([...hosts].map(async (host) => ({ host, families: await familiesOf(host) })))
  const unknown = found.filter(({ families }) => families === undefined).map(({ host }) => host)
  return [...checkProxy(env), ...namesFound(found.length, unknown), ...onlyVersion6(found)]
}

/** Calls of freeway go straight to the provider. */
function checkProxy(env: Environment): Finding[] {
  const variable = ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'].find((name) => env[name])
  if (variable === undefined) return []
  return [warn('network', `${variable} is set, and not used: providers are called directly`, 'let this machine reach port 443 outside')]
}

function namesFound(all: number, unknown: readonly string[]): Finding[] {
  if (all === 0) return []
  if (unknown.length === 0) return [ok('network', `the names of ${all} hosts are found`)]
  const fix =
    unknown.length === all
      ? 'this machine or container has no working DNS: see /etc/resolv.conf, or the dns setting of the container'
      : 'see base_url in freeway.json; or the DNS here withholds them'
  return [fault('network', `not found by name: ${unknown.join(', ')}`, fix)]
}

function onlyVersion6(found: readonly { host: string; families: Set<number> | undefined }[]): Finding[] {
  const only = found.filter(({ families }) => families?.has(6) && !families.has(4)).map(({ host }) => host)
  if (only.length === 0 || hasVersion6()) return []
  return [fault('network', `only reachable by IPv6, which this machine has not: ${only.join(', ')}`, 'give the machine or container IPv6')]
}

function hasVersion6(): boolean {
  const addresses = Object.values(networkInterfaces()).flatMap((one) => one ?? [])
  return addresses.some(({ family, internal, address }) => family === 'IPv6' && !internal && !address.startsWith('fe80'))
}

/** Of its addresses; undefined if the name is not found in time. */
async function familiesOf(host: string): Promise<Set<number> | undefined> {
  const late = Promise.withResolvers<undefined>()
  const timer = setTimeout(() => late.resolve(undefined), NAMES_WITHIN_MS)
  const names = lookup(host, { all: true }).then(
    (addresses) => new Set(addresses.map(({ family }) => family)),
    () => undefined,
  )
  try {
    return await Promise.race([names, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

function isAddress(host: string): boolean {
  return host === 'localhost' || /^[\d.]+$|^\[/.test(host)
}
