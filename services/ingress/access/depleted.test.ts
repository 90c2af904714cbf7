import { describe, expect, it } from 'vitest'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { errorHeaders, FreewayError } from '#contracts/failure.ts'
import { depleted } from './depleted.ts'

const fiveHours = [{ unit: 'requests', max: 80, per: '5h' }]
const catalog = catalogSchema.parse({
  providers: [
    {
      name: 'plan',
      aliases: ['zai'],
      base_url: 'http://a.invalid',
      configured: true,
      models: [
        { id: 'glm-5.1', limits: fiveHours },
        { id: 'z-ai/glm-air', family: 'glm' },
        { id: 'other', limits: fiveHours },
      ],
    },
  ],
  aliases: [['glm/glm-5.1', 'plan/glm-5.1']],
})
const limited = (retryAfterMs: number) => new FreewayError('rate_limit_error', 'the limit of the provider is reached', { retryAfterMs })
const HOUR_MS = 3_600_000

describe('a spent window of five hours', () => {
  it.each(['glm-5.1', 'plan/glm-5.1', 'zai/glm-5.1', 'glm/glm-5.1'])('of %s has a word of its own', (model) => {
    const error = depleted(limited(2 * HOUR_MS), model, catalog)
    expect([error.type, error.status, error.message]).toEqual([
      'glm_depleted',
      429,
      'GLM provider quota is depleted for the current 5-hour window',
    ])
    expect(errorHeaders(error)).toEqual({ 'retry-after': '7200', 'x-should-retry': 'false' })
  })

  it.each<[string, FreewayError, string | undefined]>([
    ['a model that is none of theirs', limited(HOUR_MS), 'plan/other'],
    ['one that has no such window', limited(HOUR_MS), 'z-ai/glm-air'],
    ['no model by name', limited(HOUR_MS), undefined],
    ['a limit that opens within a minute', limited(60_000), 'glm-5.1'],
    ['one that opens the day after', limited(20 * HOUR_MS), 'glm-5.1'],
    ['another failure', new FreewayError('provider_unavailable', 'x', { retryAfterMs: HOUR_MS }), 'glm-5.1'],
    ['a limit that does not say when it opens', new FreewayError('rate_limit_error', 'x'), 'glm-5.1'],
  ])('is not %s', (_, error, model) => expect(depleted(error, model, catalog)).toBe(error))
})
