// What every change by an admin has in common: it is recorded, and a broker that is away is not the admin's fault.

import { Disconnected, type KeyValue, NoResponders, RequestTimeout, RevisionConflict } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import { AccountError, type Accounts } from '#services/accounts.ts'
import type { Audit } from '#services/audit.ts'
import type { Access } from '../access/access.ts'
import type { Policy } from '../access/policy.ts'

/** What the admin routes of access work on. */
export interface AccessAdmin {
  /** The bucket of access. */
  kv: KeyValue
  /** The bucket of the catalogue. */
  config: KeyValue
  accounts: Accounts
  policy: Policy
  access: Access
  audit: Audit
  /** Of keys that are issued. */
  keyPrefix: string
  now(): number
}

export interface Changed {
  /** What was changed: an id, never a key. */
  target: string
  before?: unknown
  after?: unknown
}

/**
 * Runs `change` and records it. Rejects with FreewayError: 404 and 409 of accounts, 503 where the bucket cannot be reached.
 * A change that is made but cannot be recorded is told as a failure as well.
 */
export async function changing<T extends Changed>(
  { audit, access }: Pick<AccessAdmin, 'audit' | 'access'>,
  request: Request,
  action: string,
  change: () => Promise<T>,
  actor = 'admin',
): Promise<T> {
  try {
    const changed = await change()
    const { target, before, after } = changed
    await audit.record({ actor, address: access.addressOf(request), action, target, before, after })
    return changed
  } catch (error) {
    throw asRefusal(error)
  }
}

const accountRefusals = {
  unknown: { status: 404, message: 'no client has this key_hash' },
  exists: { status: 409, message: 'a client with this key exists already' },
  configured: { status: 409, message: 'this client is written in freeway.json: change it there' },
}

/** What stores of the gateway throw, as a client is told; other errors as they are. */
export function asRefusal(error: unknown): unknown {
  if (error instanceof AccountError) {
    const { status, message } = accountRefusals[error.why]
    return new FreewayError('invalid_request_error', message, { status, param: 'key_hash' })
  }
  const away = [Disconnected, NoResponders, RequestTimeout, RevisionConflict].some((kind) => error instanceof kind)
  return away
    ? new FreewayError('server_error', 'the store of the gateway cannot be reached', { status: 503, retryAfterMs: 1_000, cause: error })
    : error
}
