// A suite of the store over a real MongoDB, once for its whole length. Skipped where there is none.

import { afterAll, beforeAll, describe } from 'vitest'
import { findMongo, type StoreHarness } from './event-stores.ts'

const START_MS = 120_000

/** `name`: what kind of server it is. */
export function describeMongo(suite: (open: () => Promise<StoreHarness>, name: string) => void): void {
  const mongo = findMongo()
  const name = mongo?.name ?? 'MongoDB'
  describe.skipIf(!mongo)(name, { timeout: 60_000 }, () => {
    let server: Awaited<ReturnType<NonNullable<typeof mongo>['start']>> | undefined
    beforeAll(async () => {
      server = await mongo?.start()
    }, START_MS)
    afterAll(() => server?.stop())
    suite(() => (server as NonNullable<typeof server>).open(), name)
  })
}
