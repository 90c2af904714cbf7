import { describe, expect, it } from 'vitest'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { errorHeaders, FreewayError } from '#contracts/failure.ts'
import { named } from './named.ts'

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
        { id: 'other', limits: fiveHours, context_window: 1_000 },
        { id: 'voice', capabilities: ['tts'], context_window: 90_000 },
      ],
    },
  ],
  aliases: [['glm/glm-5.1', 'plan/glm-5.1']],
})
const limited = (retryAfterMs: number) => new FreewayError('rate_limit_error', 'the limit of the provider is reached', { retryAfterMs })
const HOUR_MS = 3_600_000

describe('a spent window of five hours', () => {
  it.each(['glm-5.1', 'plan/glm-5.1', 'zai/glm-5.1', 'glm/glm-5.1'])('of %s has a word of its own', (model) => {
    const error = named(limited(2 * HOUR_MS), { model, kind: 'chat' }, catalog)
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
  ])('is not %s', (_, error, model) => expect(named(error, { model, kind: 'chat' }, catalog)).toBe(error))
})

describe('a request that no model can serve', () => {
  const unsupported = new FreewayError('invalid_request_error', 'no configured model can serve this request', { param: 'model' })
  const said = (model: string | undefined, ctx: number) => named(unsupported, { model, kind: 'chat', need: { ctx } }, catalog).type

  it.each([
    ['plan/other', 1_001, 'context_length_exceeded'],
    ['plan/other', 1_000, 'invalid_request_error'],
    ['glm/glm-5.1', 9_000, 'context_length_exceeded'],
    // Somebody else has room for it; it is not the length.
    [undefined, 8_192, 'invalid_request_error'],
    [undefined, 8_193, 'context_length_exceeded'],
    ['freeai-fast', 8_193, 'context_length_exceeded'],
    ['no/such', 8_193, 'invalid_request_error'],
  ])('%s with %d tokens: %s', (model, ctx, type) => expect(said(model, ctx)).toBe(type))

  it('may have failed for something else, however long it is', () => {
    const want = { model: 'plan/other', kind: 'chat', need: { ctx: 9_000 } } as const
    for (const error of [
      new FreewayError('invalid_request_error', 'unknown aliased model', { code: 'model_not_found', param: 'model' }),
      new FreewayError('invalid_request_error', 'provider rejected the request payload'),
      new FreewayError('provider_error', 'x'),
    ]) {
      expect(named(error, want, catalog)).toBe(error)
    }
    expect(named(unsupported, { ...want, kind: 'speech' }, catalog)).toBe(unsupported)
  })
})
