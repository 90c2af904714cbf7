// What the admin routes of providers and routing work on, and how they change it.

import { PayloadTooLarge } from '#contracts/bus.ts'
import type { Catalog } from '#contracts/catalog.ts'
import type { CatalogOverrides } from '#contracts/catalog-change.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { RoutingSettings } from '#contracts/strategy.ts'
import type { Audit } from '#services/audit.ts'
import { type Document, DocumentUnreadable } from '#services/document.ts'
import type { Settings } from '#services/settings.ts'
import type { Vault } from '#services/vault.ts'
import type { Access } from '../access/access.ts'
import type { AskRouter, AskWorker } from './ask.ts'
import { type Changed, changing } from './changing.ts'

export interface Administration {
  access: Access
  audit: Audit
  vault: Vault
  overrides: Document<CatalogOverrides>
  routing: Document<RoutingSettings>
  /** Strategies of freeway.json, which can be changed there alone. */
  written: Settings['strategies']
  catalog(): Catalog
  askRouter: AskRouter
  askWorker: AskWorker
}

/** What was written by a newer version waits for somebody to start that one. */
const UPGRADE_MS = 60_000

/** As `changing`, for what changes a document. */
export function changingDocument<T extends Changed>(
  admin: Pick<Administration, 'access' | 'audit'>,
  request: Request,
  action: string,
  change: () => Promise<T>,
): Promise<T> {
  return changing(admin, request, action, async () => {
    try {
      return await change()
    } catch (error) {
      if (error instanceof PayloadTooLarge) {
        throw new FreewayError('invalid_request_error', 'all changes together would be more than one message of the broker holds', {
          status: 413,
        })
      }
      if (!(error instanceof DocumentUnreadable)) throw error
      throw new FreewayError('server_error', error.message, { status: 503, shouldRetry: false, retryAfterMs: UPGRADE_MS, cause: error })
    }
  })
}
