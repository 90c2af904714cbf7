// Takes secrets out of text and values before they are written down: registered values, known spellings of keys, telling names.
// The patterns are linear; every log line runs through them.

const MASK = '[redacted]'
/** Shorter values would blank out ordinary words. */
const MIN_SECRET_LENGTH = 6
const MAX_READ_CHARS = 64 * 1024
const MAX_KEPT_CHARS = 8 * 1024
const MAX_DEPTH = 6
const MAX_ENTRIES = 100

const secrets = new Set<string>()
let anySecret: RegExp | undefined

/** From now on this value is blanked out wherever it appears in the process. */
export function registerSecret(value: string): void {
  if (value.length < MIN_SECRET_LENGTH || secrets.has(value)) return
  secrets.add(value)
  anySecret = undefined
}

const NAMES = 'authorization|api[-_]?key|(?:access|refresh|admin|auth|session)[-_]?token|cookie|password|passwd|secret|private[-_]?key'

const patterns: readonly [RegExp, string][] = [
  // Bearer eyJ..., Basic dXNlcjpwYXNz
  [/\b(Bearer|Basic)\s{1,4}[\w.~+/=-]{4,}/gi, `$1 ${MASK}`],
  // Keys by their customary beginning: sk-…, fai_…, gsk_…, hf_…, xai-…, nvapi-…, csk-…, ghp_…
  [/\b(sk|fai|gsk|hf|xai|nvapi|csk|pplx|r8|ghp|gho|github_pat)[-_][\w-]{4,}/g, `$1-${MASK}`],
  [/\b(AIza|ya29\.)[\w-]{4,}/g, `$1${MASK}`],
  [/\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?/g, MASK],
  // ?key=…
  [/([?&](?:key|token|sig|signature|[\w-]{0,20}(?:token|key|secret))=)[^&\s"'#<>]+/gi, `$1${MASK}`],
  // nats://user:password@host
  [/(\/\/)[^\s/@"']{1,256}@/g, `$1${MASK}@`],
  // "api_key": "…", x-api-key: …
  [new RegExp(`((?:${NAMES})["']?\\s{0,3}[:=]\\s{0,3}["']?)(?!Bearer |Basic |\\[redacted)[^\\s"',;&}]+`, 'gi'), `$1${MASK}`],
]

/** Without secrets, and at most 8 KB long. */
export function redactText(text: string): string {
  let clean = text.length > MAX_READ_CHARS ? text.slice(0, MAX_READ_CHARS) : text
  if (secrets.size > 0) {
    anySecret ??= alternation()
    clean = clean.replace(anySecret, MASK)
  }
  for (const [pattern, replacement] of patterns) clean = clean.replace(pattern, replacement)
  // Cut last: a secret that the cut had split would no longer be recognised.
  return clean.length > MAX_KEPT_CHARS ? `${clean.slice(0, MAX_KEPT_CHARS)}… (${text.length} characters)` : clean
}

function alternation(): RegExp {
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length)
  return new RegExp(longestFirst.map((secret) => secret.replaceAll(/[$()*+./?[\\\]^{|}-]/g, '\\$&')).join('|'), 'g')
}

const secretName = /(?:authorization|apikey|token|cookie|password|passwd|passphrase|secret|credentials?|privatekey)$/

/** A copy that JSON can hold: no secrets, no cycles, bounded in depth and number. Errors become name, message, code, stack and cause. */
export function redactValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
      return redactText(value)
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'boolean':
    case 'undefined':
      return value
    case 'bigint':
      return value.toString()
    case 'object':
      return value === null ? null : redactObject(value, depth)
    default:
      return `[${typeof value}]`
  }
}

function redactObject(value: object, depth: number): unknown {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString()
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (depth >= MAX_DEPTH) return '[deeper]'
  if (value instanceof Error) return redactError(value, depth)
  if (value instanceof URL) return redactText(value.href)
  if (Array.isArray(value) || value instanceof Set) return redactItems([...value], depth)
  return redactEntries(value instanceof Map ? [...value].map(([key, item]) => [String(key), item]) : Object.entries(value), depth)
}

function redactItems(items: unknown[], depth: number): unknown[] {
  const kept = items.slice(0, MAX_ENTRIES).map((item) => redactValue(item, depth + 1))
  if (items.length > MAX_ENTRIES) kept.push(`… ${items.length - MAX_ENTRIES} more`)
  return kept
}

function redactEntries(entries: [string, unknown][], depth: number): Record<string, unknown> {
  // Without a prototype, for a name may be `__proto__`.
  const copy: Record<string, unknown> = Object.create(null)
  for (const [name, item] of entries.slice(0, MAX_ENTRIES)) {
    copy[redactText(name)] = isSecret(name, item) ? MASK : redactValue(item, depth + 1)
  }
  return copy
}

/** Counts such as `first_token: 120` are no secrets. */
function isSecret(name: string, value: unknown): boolean {
  if (value === null || value === undefined || typeof value === 'number' || typeof value === 'boolean') return false
  return secretName.test(name.toLowerCase().replaceAll(/[-_\s]/g, ''))
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const { code, errors } = error as Error & { code?: unknown; errors?: unknown }
  return {
    name: error.name,
    message: redactText(error.message),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(error.stack ? { stack: redactText(error.stack) } : {}),
    ...(error.cause === undefined ? {} : { cause: redactValue(error.cause, depth + 1) }),
    ...(Array.isArray(errors) ? { errors: redactItems(errors, depth) } : {}),
  }
}
