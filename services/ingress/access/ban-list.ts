// Pure. All bans, arranged so that asking costs the same with one ban as with thousands.

import type { Ban } from '#contracts/account.ts'
import { parseAddress, parseRange, type Range, rangeMap } from './address.ts'
import { compilePattern } from './signature.ts'

export interface BanList {
  byAddress(address: string, nowMs: number): Ban | undefined
  bySignature(headers: Pick<Headers, 'get'>, nowMs: number): Ban | undefined
}

/** Clients come again: what was found for an address or a header value is kept, up to this many of each. */
const MAX_REMEMBERED = 4096

export function banList(bans: Iterable<Ban>): BanList {
  const ranges: [Range, Ban][] = []
  const patterns = new Map<string, { matches(text: string): boolean; ban: Ban }[]>()
  for (const ban of bans) {
    const { subject } = ban
    if (subject.kind === 'signature') {
      const entry = { matches: compilePattern(subject.pattern), ban }
      patterns.set(subject.header, [...(patterns.get(subject.header) ?? []), entry])
    } else {
      const range = parseRange(subject.kind === 'range' ? subject.range : subject.address)
      if (range) ranges.push([range, ban])
    }
  }
  const addresses = rangeMap(ranges)
  const ofAddress = remembering((text) => {
    const address = parseAddress(text)
    const found: Ban[] = []
    if (address !== undefined) addresses.find(address, (ban) => found.push(ban) < 0)
    return found
  })
  const ofHeader = [...patterns].map(([header, entries]) => ({
    header,
    find: remembering((text) => entries.filter(({ matches }) => matches(text)).map(({ ban }) => ban)),
  }))

  return {
    byAddress: (address, nowMs) => (addresses.size === 0 ? undefined : inForce(ofAddress(address), nowMs)),
    bySignature(headers, nowMs) {
      for (const { header, find } of ofHeader) {
        const text = headers.get(header)
        const ban = text === null ? undefined : inForce(find(text), nowMs)
        if (ban) return ban
      }
      return undefined
    },
  }
}

function inForce(bans: readonly Ban[], nowMs: number): Ban | undefined {
  return bans.find(({ expires_ms }) => expires_ms === undefined || expires_ms > nowMs)
}

function remembering(find: (text: string) => readonly Ban[]): (text: string) => readonly Ban[] {
  const known = new Map<string, readonly Ban[]>()
  return (text) => {
    let found = known.get(text)
    if (!found) {
      found = find(text)
      if (known.size >= MAX_REMEMBERED) known.clear()
      known.set(text, found)
    }
    return found
  }
}
