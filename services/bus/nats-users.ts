// The broker's users: one nkey for each service. The server's file holds public keys alone; a seed is a secret of its service.

import { nkeys } from 'nats'

export interface NatsUser {
  /** What the service proves itself with; goes into a file that only it can read. */
  seed: string
  /** What the server's configuration names it by. */
  publicKey: string
}

export function createNatsUser(): NatsUser {
  return describe(nkeys.createUser())
}

/** Throws if the text is no seed of a user. */
export function natsUserOf(seed: string): NatsUser {
  const user = describe(nkeys.fromSeed(new TextEncoder().encode(seed.trim())))
  if (!user.publicKey.startsWith('U')) throw new Error('the seed is not one of a user')
  return user
}

function describe(pair: ReturnType<typeof nkeys.createUser>): NatsUser {
  return { seed: new TextDecoder().decode(pair.getSeed()), publicKey: pair.getPublicKey() }
}
