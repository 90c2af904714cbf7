// Provider keys at rest: sealed with a secret of the operator's, and bound to the name of the provider, so that a key that is moved
// to another entry of the store does not open there. AES-256-GCM under a key that HKDF derives.

import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

export interface Vault {
  /** Another text at every call. */
  seal(provider: string, key: string): string
  /** Throws VaultError. */
  open(provider: string, sealed: string): string
  /** Whether it was sealed with a secret that is known here. */
  knows(sealed: string): boolean
}

/** Never holds a key, nor any part of a secret. */
export class VaultError extends Error {
  override name = 'VaultError'
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const SEALED = /^fwk1\.([\w-]{8})\.([\w-]+)$/

/** `former`: secrets that were in use before; what they sealed can still be opened. */
export function createVault(secret: string, former: readonly string[] = []): Vault {
  const current = ringOf(secret)
  const rings = [current, ...former.map(ringOf)]
  const ringFor = (sealed: string) => rings.find(({ id }) => id === SEALED.exec(sealed)?.[1])
  return {
    knows: (sealed) => ringFor(sealed) !== undefined,
    seal(provider, key) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, current.key, nonce, { authTagLength: TAG_BYTES })
      cipher.setAAD(Buffer.from(provider))
      const bytes = Buffer.concat([nonce, cipher.update(key, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return `fwk1.${current.id}.${bytes.toString('base64url')}`
    },
    open(provider, sealed) {
      const [, , text] = SEALED.exec(sealed) ?? []
      if (text === undefined) throw new VaultError('it was stored by another version of freeway')
      const ring = ringFor(sealed)
      if (!ring) throw new VaultError('it was stored with another FREEWAY_SECRET')
      const bytes = Buffer.from(text, 'base64url')
      // A shorter tag would be accepted, and could be guessed.
      if (bytes.length < NONCE_BYTES + TAG_BYTES) throw new VaultError('it is damaged')
      const decipher = createDecipheriv(CIPHER, ring.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      decipher.setAAD(Buffer.from(provider))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString('utf8')
      } catch {
        throw new VaultError('it is damaged, or was stored for another provider')
      }
    },
  }
}

interface Ring {
  /** Tells one secret from another; it says nothing of either. */
  id: string
  key: Buffer
}

function ringOf(secret: string): Ring {
  const derive = (purpose: string, bytes: number) => Buffer.from(hkdfSync('sha256', secret, '', `freeway provider keys ${purpose}`, bytes))
  return { id: derive('id', 6).toString('base64url'), key: derive('aes-256-gcm', 32) }
}
