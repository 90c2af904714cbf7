// The first client of a gateway that is reached from outside: a code, printed at the start, opens the door once.

import { createHmac } from 'node:crypto'
import { type KeyValue, RevisionConflict } from '#contracts/bus.ts'
import { accessKeys } from '#contracts/subjects.ts'

const DIGITS = 'ABCDEFGHJKLMNPQRSTVWXYZ023456789'
const CODE_DIGITS = 20

/**
 * Every ingress knows it without being told, since all have the admin token; the token does not follow from it.
 * 100 bits, in letters that are not mistaken for each other.
 */
export function setupCode(adminToken: string): string {
  const digest = createHmac('sha256', adminToken).update('freeway setup code').digest()
  const digits = [...digest.subarray(0, CODE_DIGITS)].map((byte) => DIGITS[byte & 31]).join('')
  return digits.replace(/.{5}(?=.)/g, '$&-')
}

/** As it may have been typed: lower case, without dashes. */
export function normalCode(text: string): string {
  return text
    .toUpperCase()
    .replaceAll(/[^A-Z0-9]/g, '')
    .replaceAll(/.{5}(?=.)/g, '$&-')
}

/** True for exactly one caller, whatever the number of replicas. */
export async function claimSetup(kv: KeyValue, nowMs: number): Promise<boolean> {
  try {
    await kv.update(accessKeys.setup, new TextEncoder().encode(JSON.stringify({ used_ms: nowMs })), 0)
    return true
  } catch (error) {
    if (error instanceof RevisionConflict) return false
    throw error
  }
}

/** No client came of it: the code may be tried again. */
export async function unclaimSetup(kv: KeyValue): Promise<void> {
  await kv.delete(accessKeys.setup)
}
