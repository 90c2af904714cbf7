// The keys of clients: how one is made, and the digest that is all we keep of it.

import { Buffer } from 'node:buffer'
import { hash, randomBytes } from 'node:crypto'

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_BYTES = 32
/** 62^43 > 2^256 */
const SECRET_DIGITS = 43
const CHECKSUM_DIGITS = 6

/** `<prefix>` + 32 random bytes in base62 + six digits by which a mistyped or shortened key is told apart without a look-up. */
export function newClientKey(prefix: string, secret: Uint8Array = randomBytes(SECRET_BYTES)): string {
  const body = prefix + base62(BigInt(`0x${Buffer.from(secret).toString('hex')}`), SECRET_DIGITS)
  return body + checksum(body)
}

/** Whether a key with this prefix is whole. Says nothing about keys with another one. */
export function isWhole(key: string, prefix: string): boolean {
  const body = key.slice(0, -CHECKSUM_DIGITS)
  return body.length === prefix.length + SECRET_DIGITS && checksum(body) === key.slice(-CHECKSUM_DIGITS)
}

/** SHA-256 in hex. */
export function hashOfKey(key: string): string {
  return hash('sha256', key, 'hex')
}

function checksum(body: string): string {
  return base62(BigInt(`0x${hash('sha256', body, 'hex').slice(0, 12)}`), CHECKSUM_DIGITS)
}

/** The last `digits` digits, the most significant first. */
function base62(value: bigint, digits: number): string {
  let text = ''
  for (let rest = value; text.length < digits; rest /= 62n) text = DIGITS[Number(rest % 62n)] + text
  return text
}
