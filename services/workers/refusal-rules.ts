// Pure. What the words of a refusal mean. Status codes alone do not tell: providers answer 400 to a bad key, 403 to an empty purse
// and 429 to a model that is gone. The words are those of recorded refusals; no rule knows a provider.

import type { RefusalCode, RefusalScope } from '#contracts/settlement.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './cooldown.ts'

export interface Rule {
  words: RegExp
  code: RefusalCode
  /** Where it differs from what is usual for the code. */
  scope?: RefusalScope
  /** Where it differs from what is usual for the code, and the provider has said nothing. */
  usualMs?: number
  when?: (status: number) => boolean
}

const not429 = (status: number) => status !== 429 && status < 500
const only429 = (status: number) => status === 429
const only403 = (status: number) => status === 403
const busy = (status: number) => status === 429 || status === 498 || status >= 500

/** The first that fits decides. Linear expressions over short text. */
export const rules: Rule[] = [
  // The provider as a whole.
  {
    code: 'blocked',
    words: /retirement brownout|\b(?:api|service|platform) (?:has been|is being|was|is) (?:retired|discontinued|shut ?down|sunset)/i,
  },
  {
    code: 'blocked',
    words:
      /only be used from within|error code: 10(?!15)\d\d|location is not supported|unsupported.?(?:country|region)|(?:country|region|territory|location).{0,40}not (?:supported|available|allowed)|not (?:supported|available) in your (?:country|region)/i,
  },
  // What it asked for is too large, or must not be said.
  { code: 'payment', scope: 'request', usualMs: 0, words: /fewer max_tokens|can only afford|prompt tokens limit exceeded/i },
  {
    code: 'context_length',
    when: (status) => status < 500,
    words: /request too large for|input (?:is )?too long|exceed_context_size|(?:body|request) too large for .{0,80}(?:tokens|TPM)/i,
  },
  {
    code: 'content_policy',
    when: not429,
    words:
      /content_?filter|content management policy|content.?policy|moderation|guardrail|was flagged|(?:potentially )?unsafe or sensitive|\bsafety\b.{0,40}(?:block|filter|system|polic)|data_inspection|敏感内容|违规内容|不安全或敏感/i,
  },
  // What Gemini calls its reasons, also in an answer with status 200.
  {
    code: 'content_policy',
    when: not429,
    words: /\b(?:SAFETY|PROHIBITED_CONTENT|BLOCKLIST|RECITATION|SPII)\b/,
  },
  {
    code: 'context_length',
    when: not429,
    words:
      /context.?(?:length|window|size)|prompt length|prompt is too long|too many (?:input )?tokens|max length|reduce the length|number of tokens allowed|tokens_limit_reached|`inputs` tokens|exceeds? (?:the )?(?:model'?s? )?max(?:imum)?.{0,30}(?:tokens|length)/i,
  },
  {
    code: 'too_large',
    when: not429,
    words: /(?:request|body|entity|payload|file|audio|image).{0,20}too large|(?:file|payload|body) size/i,
  },
  // Models that are gone or not ours.
  {
    code: 'model_not_found',
    usualMs: DAY_MS,
    words:
      /promotion has ended|has been (?:retired|decommissioned)|end of life|模型不存在|模型已下线|decommissioned|no longer (?:available|supported|offered)|model.{0,120}(?:deprecated|discontinued|sunset)|no endpoints found for/i,
  },
  // Limits whose words are not those of a limit.
  {
    code: 'rate_limited',
    when: (status) => status === 429 || status === 402,
    words: /\bfor (?:your )?IP\b|already (?:queued|running|in progress)/i,
  },
  {
    code: 'rate_limited',
    scope: 'key',
    usualMs: HOUR_MS,
    words: /\b(?:session|hourly|daily|weekly|monthly) usage limit|\b(?:session|weekly) limit|usage limit reached/i,
  },
  // A limit whose status is another's.
  {
    code: 'rate_limited',
    when: (status) => status === 400 || status === 403 || status === 500 || status === 503,
    words:
      /rate.?limit.{0,40}(?:exceed|reach|hit)|(?:exceed|reach|hit).{0,40}rate.?limit|rate_exceeded|too many requests|请求过于频繁|频率.{0,6}限制/i,
  },
  // Credit that comes back by itself.
  { code: 'rate_limited', usualMs: HOUR_MS, words: /pollen balance|pollen per request/i },
  { code: 'rate_limited', scope: 'key', words: /included credits|monthly (?:included |free )?credits/i },
  // Gemini reports a model outside the free tier as a limit of none.
  { code: 'model_not_found', usualMs: DAY_MS, when: only429, words: /\blimit: 0\b/i },
  // Some models cost money where others of the same account do not.
  { code: 'payment', scope: 'model', when: only429, words: /insufficient.{0,3}balance|resource package|余额不足|欠费|资源包/i },
  { code: 'payment', scope: 'model', when: not429, words: /\b(?:selected|this) model (?:requires|needs) (?:a )?paid/i },
  {
    code: 'payment',
    words:
      /insufficient.{0,3}(?:balance|quota|funds|credits?)|not.enough.(?:balance|credits?)|balance is (?:insufficient|\$0|too low)|(?:any|no|out of) credits|credit card|payment.?(?:method|required)|is suspended|verification_required|arrears|overdue|spending limit|billing.{0,20}(?:not active|inactive|disabled)|past due|余额不足|欠费/i,
  },
  {
    code: 'auth',
    when: not429,
    words:
      /(?:invalid|incorrect|wrong|no|missing|expired|revoked|disabled|bad).{0,3}(?:api.?key|api token|access token|credentials|authentication)|api.?key.{0,20}(?:invalid|not valid|expired|missing|required|disabled|revoked|not found)|organization.{0,10}restricted|unregistered callers|reported as leaked|account.{0,20}(?:disabled|deactivated|banned|locked)/i,
  },
  // The project has not switched the service on; it works minutes after it has.
  { code: 'auth', usualMs: 5 * MINUTE_MS, when: only403, words: /has not been used in project|SERVICE_DISABLED/i },
  {
    code: 'model_not_found',
    usualMs: DAY_MS,
    when: not429,
    words:
      /blocked at the (?:organization|project) level|model_permission_blocked|(?:not|n't|no) (?:have |permission to |allowed to )?(?:access|use)(?: to)? (?:the |this |that )?model|model.{0,80}\bnot (?:allowed|enabled|available) for (?:your|this) (?:key|token|organization|project|account|team|plan)/i,
  },
  // One of its models; the key is good for others.
  { code: 'model_not_found', usualMs: HOUR_MS, when: only403, words: /the caller does not have permission(?! to execute)/i },
  { code: 'model_not_found', scope: 'key', usualMs: HOUR_MS, when: not429, words: /data policy/i },
  { code: 'model_not_found', scope: 'key', usualMs: DAY_MS, when: not429, words: /service tier\b(?! capacity)/i },
  {
    code: 'model_not_found',
    usualMs: DAY_MS,
    when: not429,
    words:
      /requires a subscription|terms.acceptance|submit the prompt 'agree'|not found for account|(?:upgrade|paid plan).{0,40}(?:access|use) (?:this )?model|not supported by any/i,
  },
  {
    code: 'model_not_found',
    when: not429,
    words: /no such model|(?:invalid|unknown).model|model_?not_?(?:found|supported)|model.{0,120}(?:does not exist|not found|not exist)/i,
  },
  {
    code: 'malformed',
    when: not429,
    words: /failed_generation|tool_use_failed|json_validate_failed|failed to (?:call a function|generate json)/i,
  },
  { code: 'unsupported', scope: 'model', when: not429, words: /(?:not|n't|that) support tool/i },
  // What this provider cannot do, another may.
  {
    code: 'unsupported',
    when: not429,
    words:
      /unsupported|(?:not|n't|that) support|extra.?(?:inputs|forbidden)|unknown (?:name|parameter|field|argument)|unrecognized|not permitted|thought_signature|invalid_function_call|message_order|provider returned error/i,
  },
  { code: 'overloaded', usualMs: 5 * MINUTE_MS, when: not429, words: /\bDEGRADED\b/ },
  // No room for anybody, whatever the status.
  { code: 'overloaded', usualMs: 300_000, when: not429, words: /model is (?:currently )?unavailable|model_unavailable/i },
  {
    code: 'overloaded',
    when: (status) => status !== 408 && status !== 504,
    words:
      /overload|capacity.{0,20}exceeded|at capacity|out of capacity|capacity.{0,20}(?:reached|limit)|(?:high|heavy|peak) (?:traffic|demand|load)|queue.{0,3}(?:exceeded|full|is full)|resource ?exhausted: worker|worker.{0,40}limit reached|too busy|server is busy|engine.{0,20}busy|no (?:instances|workers|capacity)\b.{0,20}available|currently unavailable|capacity_exhausted|繁忙|访问量过大/i,
  },
  { code: 'overloaded', when: busy, words: /temporarily unavailable|model.{0,40}(?:is )?loading|warming up|cold start/i },
]
