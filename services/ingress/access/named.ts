// Pure. Failures by the words that the public error table has for them, where it takes the catalogue to tell: clients branch on the words.

import type { Catalog, CatalogProvider, Model } from '#contracts/catalog.ts'
import { virtualModelOf } from '#contracts/catalog.ts'
import { aliasIndex, limitsOf } from '#contracts/catalog-lookup.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { Wanted } from './tier.ts'

/** A limit that opens sooner is one of a minute. */
const SHORT_MS = 65_000
const FIVE_HOURS_MS = 5 * 3_600_000
/** Windows are counted in slices. */
const SLICE_MS = 600_000

/** The same error if there is no better word. */
export function named(error: FreewayError, wanted: Wanted, catalog: Catalog): FreewayError {
  if (isSpentGlm(error, wanted, catalog)) {
    const { retryAfterMs = 0 } = error
    const details = { retryAfterMs, shouldRetry: false, cause: error }
    return new FreewayError('glm_depleted', 'GLM provider quota is depleted for the current 5-hour window', details)
  }
  if (isTooLong(error, wanted, catalog)) {
    return new FreewayError(
      'context_length_exceeded',
      'the request does not fit into the context of the model: shorten it or ask for fewer tokens',
      { cause: error },
    )
  }
  return error
}

/** The five hours of a GLM plan. */
function isSpentGlm({ type, retryAfterMs = 0 }: FreewayError, { model }: Wanted, catalog: Catalog): boolean {
  if (type !== 'rate_limit_error' || model === undefined || retryAfterMs < SHORT_MS || retryAfterMs > FIVE_HOURS_MS + SLICE_MS) return false
  const isCounted = ({ provider, model }: Row) => isGlm(model) && limitsOf(provider, model).some(({ limit }) => limit.per === '5h')
  return behind(model, catalog).some(isCounted)
}

const isGlm = ({ family, id }: Model) => /(?:^|[/_.-])glm/i.test(family ?? id)

/** No model can serve it, and none that is meant has the room for it. */
function isTooLong({ type, code, param }: FreewayError, { model, kind, need }: Wanted, catalog: Catalog): boolean {
  if (type !== 'invalid_request_error' || code !== type || param !== 'model' || kind !== 'chat' || need === undefined) return false
  const rows = model === undefined || virtualModelOf(model) !== undefined ? chatting(catalog) : behind(model, catalog)
  return rows.length > 0 && rows.every((row) => row.model.context_window < need.ctx)
}

interface Row {
  provider: CatalogProvider
  model: Model
}

function enabledRows({ providers }: Catalog): Row[] {
  return providers.flatMap((provider) =>
    provider.enabled ? provider.models.filter(({ enabled }) => enabled).map((model) => ({ provider, model })) : [],
  )
}

const chatting = (catalog: Catalog) =>
  enabledRows(catalog).filter(({ provider, model }) => provider.configured && model.capabilities.includes('chat'))

/** The models that a name leads to. */
function behind(name: string, catalog: Catalog): Row[] {
  const names = new Set([name, ...aliasIndex(catalog.aliases)(name)])
  return enabledRows(catalog).filter(
    ({ provider, model: { id, canonical } }) =>
      names.has(id) ||
      (canonical !== undefined && names.has(canonical)) ||
      [provider.name, ...provider.aliases].some((own) => names.has(`${own}/${id}`)),
  )
}
