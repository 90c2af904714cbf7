// What admins have changed: who, what, before and after. The last thousand changes are kept, in a ring of the bucket.

import type { AuditEntry } from '#contracts/account.ts'
import { auditEntry } from '#contracts/account.ts'
import type { KeyValue } from '#contracts/bus.ts'
import { accessKeys } from '#contracts/subjects.ts'
import { openLedger } from './ledger.ts'

export const AUDIT_ENTRIES = 1000

/** Without its number and time. `before` and `after` must hold no secret. */
export type Change = Omit<AuditEntry, 'n' | 'at_ms'>

export interface Audit {
  /** Resolves when it is written. */
  record(change: Change): Promise<void>
  /** The latest first. */
  list(limit: number): Promise<AuditEntry[]>
}

export function openAudit(kv: KeyValue, now: () => number = Date.now): Audit {
  const ledger = openLedger(kv)
  return {
    async record(change) {
      let n = 0
      await ledger.update<number>(accessKeys.auditHead, (last = 0) => {
        n = last + 1
        return n
      })
      const entry: AuditEntry = { n, at_ms: now(), ...change }
      await kv.put(accessKeys.auditSlot(n % AUDIT_ENTRIES), new TextEncoder().encode(JSON.stringify(entry)))
    },
    async list(limit) {
      const entries: AuditEntry[] = []
      const subscription = await kv.watch(accessKeys.auditSlots, ({ value }) => {
        const entry = value && auditEntry.safeParse(JSON.parse(new TextDecoder().decode(value)))
        if (entry?.success) entries.push(entry.data)
      })
      subscription.unsubscribe()
      return entries.sort((a, b) => b.n - a.n).slice(0, limit)
    },
  }
}
