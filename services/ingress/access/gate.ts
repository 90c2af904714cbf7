// Pure. Who may call: the checks in their order.

import { FreewayError } from '#contracts/failure.ts'

export interface Credentials {
  /** SHA-256 of the presented key in hex; undefined if none was sent. */
  digest: string | undefined
  /** Address of the connection's other end. */
  peer: string
}

export interface Accounts {
  /** Hex digest of a key → its owner. Found by digest, so that the time it takes tells nothing about a key. */
  byDigest: ReadonlyMap<string, string>
  /** While no client exists, loopback needs no key. */
  open: boolean
}

/** `key_id` of the caller; throws FreewayError 401. */
export function admit({ digest, peer }: Credentials, { byDigest, open }: Accounts): string {
  const owner = digest === undefined ? undefined : byDigest.get(digest)
  if (owner !== undefined) return owner
  // A key that an SDK insists on sending does no harm there.
  if (open && isLoopback(peer)) return 'bootstrap'
  throw new FreewayError('invalid_api_key', 'missing or invalid API key: send it as "Authorization: Bearer <key>"')
}

/** The key as clients send it: `Authorization: Bearer KEY` or `x-api-key: KEY`. */
export function presentedKey(headers: Pick<Headers, 'get'>): string | undefined {
  const bearer = /^Bearer +(\S+)$/i.exec(headers.get('authorization') ?? '')?.[1]
  return bearer ?? headers.get('x-api-key') ?? headers.get('x-admin-token') ?? undefined
}

export function isLoopback(address: string): boolean {
  return /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(address) || address === '::1'
}
