// Refusals that users of these providers have reported, each with where: what they mean, beside the recorded ones.

import { describe, expect, test } from 'vitest'
import type { LimitHabits } from './cooldown.ts'
import { readRefusal } from './refusal.ts'

const nowMs = Date.parse('2026-09-21T09:00:00Z')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const untilMidnight = Date.parse('2026-09-22T00:00:00Z') - nowMs

const byAccount: LimitHabits = { limit_scope: 'account', limits: [{ unit: 'requests', max: 50, per: 'day', clock: 'UTC' }] }
const byModel: LimitHabits = { limit_scope: 'model', limits: [{ unit: 'requests', max: 1000, per: 'minute' }] }
const neurons: LimitHabits = { limit_scope: 'account', limits: [{ unit: 'neurons', max: 10_000, per: 'day', clock: 'UTC' }] }

const guard = '<!DOCTYPE html>\n <html class="no-js" lang="en-US">\n<head>\n<title>Attention Required! | Cloudflare</title>'

describe('refusals that were reported', () => {
  test.each<[where: string, status: number, body: unknown, habits: LimitHabits | undefined, wanted: object]>([
    ['lobehub/lobehub#2147, Groq', 403, guard, byModel, { code: 'blocked', scope: 'provider', keyFault: false, retryAfterMs: undefined }],
    [
      'langgenius/dify#2506, Cohere',
      403,
      '<!doctype html><meta charset="utf-8"><title>403</title>403 Forbidden',
      byAccount,
      { code: 'blocked', scope: 'provider', keyFault: false },
    ],
    [
      'orbi-build/orbi#561, Groq',
      403,
      {
        error: {
          message: 'The model `groq/compound` is blocked at the organization level. Please have the org admin enable this model.',
          type: 'permissions_error',
          code: 'model_permission_blocked_org',
        },
      },
      byModel,
      { code: 'model_not_found', scope: 'model', keyFault: false, retryAfterMs: DAY },
    ],
    [
      'open-webui/computer#293, OpenRouter',
      429,
      {
        error: {
          message: 'Provider returned error',
          code: 429,
          metadata: {
            raw: 'z-ai/glm-5.3-flash is temporarily rate-limited upstream. Please retry shortly.',
            limit_source: 'upstream_provider_shared_pool',
          },
        },
      },
      byAccount,
      // Its other models have other providers behind them.
      { code: 'rate_limited', scope: 'model', retryAfterMs: 30_000 },
    ],
    [
      'nminaya/grammar-nazi-bot#958, Cerebras',
      429,
      {
        message: 'Requests per minute limit exceeded - too many requests sent.',
        type: 'too_many_requests_error',
        param: 'quota',
        code: 'request_quota_exceeded',
      },
      byModel,
      {
        code: 'rate_limited',
        scope: 'model',
        retryAfterMs: MINUTE,
        learned: [expect.objectContaining({ unit: 'requests', per: 'minute' })],
      },
    ],
    [
      'explyt/explyt#35, Cerebras',
      429,
      { message: 'Requests per second limit exceeded - too many requests sent.', type: 'too_many_requests_error', param: 'quota' },
      byModel,
      { code: 'rate_limited', scope: 'model', retryAfterMs: 1_000 },
    ],
    [
      'anomalyco/opencode#7463, Cerebras',
      429,
      { message: 'Tokens per minute limit exceeded - too many tokens processed.' },
      byModel,
      { code: 'rate_limited', learned: [expect.objectContaining({ unit: 'tokens', per: 'minute' })] },
    ],
    [
      'BerriAI/litellm#25078, Mistral: no room, whatever the status',
      429,
      {
        object: 'error',
        message: 'Service tier capacity exceeded for this model.',
        type: 'invalid_request_error',
        param: null,
        code: null,
      },
      byModel,
      { code: 'overloaded', scope: 'model' },
    ],
    [
      'raycast/extensions#31107, Mistral',
      429,
      { object: 'error', message: 'Rate limit exceeded', type: 'rate_limited', param: null, code: '1300', raw_status_code: 429 },
      byModel,
      { code: 'rate_limited', scope: 'model' },
    ],
    [
      'google-gemini/gemini-cli#26633',
      429,
      {
        error: {
          code: 429,
          message: 'No capacity available for model gemini-3.1-flash-lite on the server',
          status: 'RESOURCE_EXHAUSTED',
          details: [{ reason: 'MODEL_CAPACITY_EXHAUSTED' }],
        },
      },
      byModel,
      { code: 'overloaded', scope: 'model' },
    ],
    [
      'google-gemini/gemini-cli#13004',
      429,
      { error: { code: 429, message: 'You have exhausted your capacity on this model. Your quota will reset after 8h44m7s.' } },
      byModel,
      { code: 'rate_limited', scope: 'model', retryAfterMs: ((8 * 60 + 44) * 60 + 7) * 1000 },
    ],
    [
      'google-gemini/gemini-cli#14519: other models go on',
      403,
      { error: { code: 403, message: 'The caller does not have permission', status: 'PERMISSION_DENIED' } },
      byModel,
      { code: 'model_not_found', scope: 'model', keyFault: false, retryAfterMs: HOUR },
    ],
    [
      'google-gemini/gemini-cli#4065',
      403,
      { error: { code: 403, message: 'Permission denied on resource project default.', status: 'PERMISSION_DENIED' } },
      byModel,
      { code: 'auth', scope: 'key', keyFault: true, retryAfterMs: DAY },
    ],
    [
      'google-gemini/deprecated-generative-ai-python#10: it works minutes after it was switched on',
      403,
      {
        error: {
          code: 403,
          message: 'Generative Language API has not been used in project 4110 before or it is disabled. Enable it, then retry.',
          status: 'PERMISSION_DENIED',
          details: [{ reason: 'SERVICE_DISABLED' }],
        },
      },
      byModel,
      { code: 'auth', scope: 'key', retryAfterMs: 5 * MINUTE },
    ],
    [
      'Alishahryar1/free-claude-code#1021, NVIDIA',
      404,
      { status: 404, title: 'Not Found', detail: "Function '23d4': Not found for account 'Qawm'" },
      byAccount,
      { code: 'model_not_found', scope: 'model', retryAfterMs: DAY },
    ],
    [
      'tashfeenahmed/freellmapi#522, NVIDIA',
      400,
      { status: 400, title: 'Bad Request', detail: "Function id '3b97': DEGRADED function cannot be invoked" },
      byAccount,
      { code: 'overloaded', scope: 'model', retryAfterMs: 5 * MINUTE },
    ],
    [
      'diegosouzapw/OmniRoute#6980, Cloudflare',
      429,
      {
        errors: [
          {
            code: 4006,
            message: "you have used up your daily free allocation of 10,000 neurons, please upgrade to Cloudflare's Workers Paid plan",
          },
        ],
        success: false,
      },
      neurons,
      {
        code: 'rate_limited',
        scope: 'key',
        retryAfterMs: untilMidnight,
        learned: [{ unit: 'neurons', per: 'day', max: 10_000, remaining: 0, reset_ms: untilMidnight, scope: 'account' }],
      },
    ],
    [
      'langgenius/dify#5850, Zhipu',
      429,
      { error: { code: '1113', message: '您的账户已欠费，请充值后重试。' } },
      byModel,
      { code: 'payment', scope: 'model', retryAfterMs: DAY },
    ],
    ['continuedev/continue#11823, Zhipu', 429, '余额不足或无可用资源包,请充值。', byModel, { code: 'payment', scope: 'model' }],
    [
      'zai-org/feedback#789',
      429,
      {
        type: 'error',
        error: { type: 'rate_limit_error', code: '1113', message: '[1113][Insufficient balance or no resource package. Please recharge.]' },
      },
      byModel,
      { code: 'payment', scope: 'model', retryAfterMs: DAY },
    ],
    [
      'FoundationAgents/OpenManus#438, SiliconFlow: models without a price go on',
      403,
      {
        code: 30011,
        message: 'The selected model requires paid balance. Your paid balance is insufficient. Please top up and try again.',
        data: null,
      },
      byModel,
      { code: 'payment', scope: 'model', keyFault: false, retryAfterMs: DAY },
    ],
    [
      'AIDotNet/OpenDeepWiki#269, SiliconFlow',
      429,
      { message: 'Request was rejected due to rate limiting. Details: TPM limit reached.', data: null },
      byModel,
      { code: 'rate_limited', scope: 'model', retryAfterMs: MINUTE, learned: [expect.objectContaining({ unit: 'tokens', per: 'minute' })] },
    ],
    [
      'jxq1997216/AITranslator#32, SiliconFlow',
      429,
      { message: 'Request was rejected due to rate limiting. Details: RPH limit reached.', data: null },
      byModel,
      { code: 'rate_limited', retryAfterMs: HOUR, learned: [expect.objectContaining({ unit: 'requests', per: 'hour' })] },
    ],
    [
      'TiaraBasori/OpenCode2API#5, OpenCode: a 401 that is no bad key',
      401,
      { message: 'Insufficient balance. Manage your billing here: https://x.example', type: 'CreditsError', param: '', code: null },
      byAccount,
      { code: 'payment', scope: 'key', retryAfterMs: DAY },
    ],
    [
      'anomalyco/opencode#29912',
      429,
      { error: { code: '429', message: 'Error from provider (Xiaomi): Too many requests', type: 'limitation' } },
      byAccount,
      { code: 'rate_limited', scope: 'model' },
    ],
    [
      'pollinations/pollinations#9924: it is filled up every hour',
      402,
      {
        success: false,
        error: {
          message: 'Insufficient balance. This model costs ~0.0136 pollen per request, but your available balance is 0.0000.',
          code: 'PAYMENT_REQUIRED',
        },
        status: 402,
      },
      byAccount,
      { code: 'rate_limited', scope: 'key', retryAfterMs: HOUR },
    ],
    [
      'pollinations/pollinations#11603: a queue, whatever the status',
      402,
      {
        x402Version: 1,
        error: 'Queue full for IP: 203.0.113.9: 1 requests already queued (max: 1). Get unlimited access at https://x.example',
      },
      { limit_scope: 'address', limits: [] },
      { code: 'rate_limited', scope: 'provider', keyFault: false, retryAfterMs: 10_000 },
    ],
    [
      'pollinations/pollinations#9168',
      402,
      {
        success: false,
        error: { message: 'API key budget exhausted. Please top up or create a new key.', code: 'PAYMENT_REQUIRED' },
        status: 402,
      },
      byAccount,
      { code: 'payment', scope: 'key', keyFault: true },
    ],
    [
      'pollinations/pollinations#6562',
      500,
      { success: false, error: { message: 'Failed to get customer meters.', code: 'INTERNAL_ERROR' } },
      byAccount,
      { code: 'server', scope: 'model', keyFault: false },
    ],
    [
      'continuedev/continue#9233, Ollama',
      429,
      { error: "you've reached your hourly usage limit, please wait or upgrade to continue" },
      undefined,
      { code: 'rate_limited', scope: 'key', retryAfterMs: HOUR },
    ],
    [
      'NousResearch/hermes-agent#68832, Ollama',
      429,
      { error: 'you (x) have reached your weekly usage limit, upgrade for higher limits: https://x.example (ref: ...)' },
      undefined,
      { code: 'rate_limited', scope: 'key' },
    ],
    [
      'openstax/domo#142: a limit that is told as a ban',
      403,
      { message: 'API Rate limit reached.' },
      byAccount,
      { code: 'rate_limited', scope: 'key', keyFault: false },
    ],
    [
      'imputnet/cobalt#1026: a limit that is told as a bad request',
      400,
      { status: 'error', error: { code: 'error.api.rate_exceeded' } },
      undefined,
      { code: 'rate_limited', scope: 'model', retryAfterMs: 30_000 },
    ],
    [
      'CSOAI-ORG/councilof-ai#1102, Hugging Face',
      403,
      { error: 'This authentication method does not have sufficient permissions to call Inference Providers on behalf of user x' },
      byAccount,
      { code: 'auth', scope: 'key', keyFault: true, retryAfterMs: DAY },
    ],
  ])('%s (%i)', (_, status, body, habits, wanted) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    expect(readRefusal({ status, headers: {}, body: text, nowMs }, habits)).toMatchObject(wanted)
  })
})

test.each(['', '{}', '{"message":"Forbidden"}', '{"error":{"code":403}}', 'Access denied'])(
  'a 403 without a reason is tried again soon, not tomorrow: %j',
  (body) => {
    expect(readRefusal({ status: 403, headers: {}, body, nowMs })).toMatchObject({ code: 'auth', scope: 'key', retryAfterMs: undefined })
  },
)
