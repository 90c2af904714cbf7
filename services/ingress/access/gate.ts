// Pure. Who may call: the checks in their order. Keys are compared by digest, in constant time.

import { timingSafeEqual } from 'node:crypto'
import { FreewayError } from '#contracts/failure.ts'

export interface Credentials {
  /** SHA-256 of the presented key; undefined if none was sent. */
  digest: Uint8Array | undefined
  /** Address of the connection's other end. */
  peer: string
}

export interface Accounts {
  adminDigest: Uint8Array
  /** Hex digest → client. */
  clients: ReadonlyMap<string, { name: string }>
}

/** `key_id` of the caller; throws FreewayError 401. */
export function admit({ digest, peer }: Credentials, { adminDigest, clients }: Accounts): string {
  if (digest) {
    if (timingSafeEqual(digest, adminDigest)) return 'admin'
    const client = clients.get(hex(digest))
    if (client) return client.name
    // While no client exists, a key that an SDK insists on sending does no harm on loopback.
  }
  if (clients.size === 0 && isLoopback(peer)) return 'bootstrap'
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

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
