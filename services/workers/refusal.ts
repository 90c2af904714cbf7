// Pure. What a provider's refusal means for us: whose fault it is, and whether waiting helps.
// Status codes alone do not tell: providers answer 400 to a bad key, 403 to an empty purse and 429 to a model that is gone.

import type { RefusalCode } from '#contracts/settlement.ts'
import { type Headers, readRetryAfter } from './retry-after.ts'

export interface Refusal {
  code: RefusalCode
  /** This key cannot be used now, whether it is wrong, barred or out of money. */
  keyFault: boolean
  retryAfterMs: number | undefined
  /** For operators: one line, at most 200 characters, no keys. */
  detail: string
}

const SCANNED_CHARACTERS = 4096
const DETAIL_CHARACTERS = 200

/** `headers` have names in lower case. Never throws, whatever the body is. */
export function readRefusal(response: { status: number; headers: Headers; body: string; nowMs: number }): Refusal {
  const { status, headers, body, nowMs } = response
  const words = wordsOf(body.slice(0, 16 * SCANNED_CHARACTERS)).slice(0, SCANNED_CHARACTERS)
  const code = rules.find((rule) => (rule.when === undefined || rule.when(status)) && rule.words.test(words))?.code ?? byStatus(status)
  const waitHelps = code === 'rate_limited' || code === 'server' || code === 'timeout'
  return {
    code,
    keyFault: code === 'auth',
    retryAfterMs: waitHelps ? readRetryAfter(headers, body, nowMs) : undefined,
    detail: redact(`${status} ${words}`),
  }
}

interface Rule {
  words: RegExp
  code: RefusalCode
  when?: (status: number) => boolean
}

const not429 = (status: number) => status !== 429 && status < 500
const only429 = (status: number) => status === 429

/** The first that fits decides. Linear expressions over short text; the words are those of recorded refusals. */
const rules: Rule[] = [
  { code: 'model_not_found', words: /promotion has ended|has been retired|end of life|decommissioned|no longer (?:available|supported)/i },
  { code: 'auth', words: /only be used from within|error code: 1010|location is not supported/i },
  {
    code: 'content_policy',
    when: not429,
    words: /content_?filter|content management policy|moderation|guardrail|was flagged|potentially unsafe or sensitive/i,
  },
  {
    code: 'context_length',
    when: not429,
    words:
      /context.?(?:length|window|size)|prompt length|prompt is too long|prompt tokens limit|too many tokens|max length|reduce the length|number of tokens allowed|tokens_limit_reached|`inputs` tokens|(?:request|body|entity) (?:is )?too large/i,
  },
  { code: 'rate_limited', words: /fewer max_tokens|included credits|pollen balance/i },
  // Gemini reports a model outside the free tier as a limit of none.
  { code: 'model_not_found', when: only429, words: /\blimit: 0\b/i },
  {
    code: 'auth',
    words:
      /insufficient.?(?:balance|quota)|not.enough.balance|balance is (?:insufficient|\$0)|any credits|credit card|payment.?(?:method|required)|is suspended|verification_required/i,
  },
  {
    code: 'auth',
    when: not429,
    words:
      /(?:invalid|incorrect|wrong|no|missing).{0,3}(?:api.?key|api token)|organization.{0,10}restricted|unregistered callers|reported as leaked/i,
  },
  {
    code: 'model_not_found',
    when: not429,
    words:
      /requires a subscription|service tier\b(?! capacity)|terms.acceptance|submit the prompt 'agree'|not found for account|no such model|invalid.model|model_?not_?(?:found|supported)|model.{0,120}(?:does not exist|not found|not supported by any)|no endpoints found (?!that support)/i,
  },
  { code: 'malformed', when: not429, words: /failed_generation|tool_use_failed|json_validate_failed/i },
  // What this provider cannot do, another may.
  {
    code: 'unsupported',
    when: not429,
    words:
      /unsupported|(?:not|that) support|extra.?(?:inputs|forbidden)|unknown name|thought_signature|invalid_function_call|message_order|provider returned error/i,
  },
  { code: 'server', when: not429, words: /currently unavailable|overloaded|capacity.exceeded/i },
]

function byStatus(status: number): RefusalCode {
  if (status === 429) return 'rate_limited'
  if (status === 401 || status === 403) return 'auth'
  if (status === 402) return 'rate_limited'
  if (status === 404 || status === 410) return 'model_not_found'
  if (status === 413) return 'context_length'
  if (status === 408 || status === 504 || status === 522 || status === 524) return 'timeout'
  if (status === 498 || status === 499 || status >= 500) return 'server'
  if (status >= 400) return 'invalid_request'
  return 'malformed'
}

const TELLING = ['message', 'msg', 'detail', 'title', 'reason', 'code', 'type', 'status', 'error', 'errors']
const MAX_DEPTH = 4

/** The texts that providers put what they mean into; nothing that may quote the request at length. */
function wordsOf(body: string): string {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return body.replaceAll(/<[^<>]{0,200}>/g, ' ').trim() // not JSON: a proxy's page, or plain text
  }
  const words: string[] = []
  collect(value, 0, words)
  return words.join(' | ')
}

function collect(value: unknown, depth: number, words: string[]): void {
  if (typeof value === 'string' && value !== '') words.push(value)
  else if (typeof value === 'number') words.push(String(value))
  else if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return
  else if (Array.isArray(value)) for (const item of value.slice(0, 4)) collect(item, depth + 1, words)
  else for (const name of TELLING) if (Object.hasOwn(value, name)) collect((value as Record<string, unknown>)[name], depth + 1, words)
}

const SECRETS =
  /\b(?:sk|gsk|pk|rk|csk|hf|key|AIza|nvapi|xai|r8|ghp|github_pat)[-_A-Za-z0-9]{12,}|\beyJ[-_A-Za-z0-9.]{20,}|\b[A-Za-z0-9_-]{32,}\b|([?&]key=|bearer )\S{1,400}/gi

/** One short line without anything that looks like a key. */
export function redact(text: string): string {
  const line = text.slice(0, 8 * DETAIL_CHARACTERS).replaceAll(SECRETS, (_, prefix: string | undefined) => `${prefix ?? ''}[redacted]`)
  return line
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, DETAIL_CHARACTERS)
}
