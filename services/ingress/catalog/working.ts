// Pure. Which models work now, by what routers tell of the providers: those with an account of which nothing rests that they need.

import type { ProviderStatus } from '#contracts/router-question.ts'
import type { Row } from './models.ts'

type Standing = Pick<ProviderStatus, 'name' | 'healthy' | 'accounts' | 'cooldowns'>

/** Without word from a router all of them count as working. */
export function workingBy(statuses: readonly Standing[] | undefined): (row: Row) => boolean {
  if (!statuses) return () => true
  const byName = new Map(statuses.map((status) => [status.name, status]))
  return ({ provider, model }) => {
    const status = byName.get(provider.name)
    if (!status?.healthy) return false
    const rests = (account: string | undefined) =>
      status.cooldowns.some(
        (one) => (one.account === undefined || one.account === account) && (one.model === undefined || one.model === model.id),
      )
    return status.accounts.length === 0 ? !rests(undefined) : status.accounts.some((account) => !rests(account))
  }
}
