// Pure. What tells one key of a provider from another, so that counts and rests belong to a key and not to its place in a list.

import { createHash } from 'node:crypto'

/**
 * 48 bits of a hash: nobody gets from it to the key. `keys` as they are, or sealed; `''` where only workers have them, and then nothing
 * is known of any. The same key must look the same at every start.
 */
export function keyIdsOf(provider: string, keys: readonly string[]): string[] | undefined {
  if (keys.length === 0 || keys.includes('')) return undefined
  return keys.map((key) => createHash('sha256').update(`${provider}\0${key}`).digest('base64url').slice(0, 8))
}
