// Pure. When the five hours of a GLM plan are used up: a limit with a word of its own in the public error table, for clients branch on it.

import type { Catalog, Model } from '#contracts/catalog.ts'
import { aliasIndex, limitsOf } from '#contracts/catalog-lookup.ts'
import { FreewayError } from '#contracts/failure.ts'

/** A limit that opens sooner is one of a minute. */
const SHORT_MS = 65_000
const FIVE_HOURS_MS = 5 * 3_600_000
/** Windows are counted in slices. */
const SLICE_MS = 600_000

/** `model`: as the client named it. Whatever is no such limit is returned as it is. */
export function depleted(error: FreewayError, model: string | undefined, catalog: Catalog): FreewayError {
  const { type, retryAfterMs = 0 } = error
  if (type !== 'rate_limit_error' || model === undefined || retryAfterMs < SHORT_MS || retryAfterMs > FIVE_HOURS_MS + SLICE_MS) return error
  const names = new Set([model, ...aliasIndex(catalog.aliases)(model)])
  const isSpent = catalog.providers.some((provider) =>
    provider.models.some(
      (one) =>
        isGlm(one) &&
        [one.id, one.canonical ?? one.id, ...[provider.name, ...provider.aliases].map((name) => `${name}/${one.id}`)].some((name) =>
          names.has(name),
        ) &&
        limitsOf(provider, one).some(({ limit }) => limit.per === '5h'),
    ),
  )
  if (!isSpent) return error
  return new FreewayError('glm_depleted', 'GLM provider quota is depleted for the current 5-hour window', {
    retryAfterMs,
    shouldRetry: false,
    cause: error,
  })
}

const isGlm = ({ family, id }: Model) => /(?:^|[/_.-])glm/i.test(family ?? id)
