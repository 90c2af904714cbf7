// Pure. When a provider says it may be asked again, in all the ways in which providers say it.
// Grammar of the header: RFC 9110, section 10.2.3. Date.parse alone would take "-3" and "1.5" for dates in 2001.

export type Headers = Record<string, string | string[] | undefined>

const DAY_MS = 86_400_000
const SCANNED_CHARACTERS = 8192

/** Milliseconds from `nowMs`, 0 to 24 h; undefined where nothing that can be understood was said. Header names in lower case. */
export function readRetryAfter(headers: Headers, body: string, nowMs: number): number | undefined {
  const waitMs =
    readNumber(first(headers['retry-after-ms'])) ??
    readRetryAfterHeader(first(headers['retry-after']), nowMs) ??
    readBody(body.slice(0, SCANNED_CHARACTERS)) ??
    readResets(headers, nowMs)
  return waitMs === undefined ? undefined : Math.round(Math.min(DAY_MS, Math.max(0, waitMs)))
}

function readRetryAfterHeader(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined
  const seconds = readNumber(text)
  return seconds === undefined ? (readDuration(text) ?? readDate(text, nowMs)) : seconds * 1000
}

function first(value: string | string[] | undefined): string | undefined {
  return (Array.isArray(value) ? value[0] : value)?.trim()
}

function readNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,20}(?:\.\d{1,12})?$/.test(text) ? Number(text) : undefined
}

const DURATION = /^(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9}(?:\.\d{1,12})?)s)?(?:(\d{1,9}(?:\.\d{1,12})?)ms)?$/

/** `7.66s`, `1m30s`, `1h2m3s`, `120ms`. */
function readDuration(text: string): number | undefined {
  const parts = DURATION.exec(text)
  if (!parts || text === '') return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0, millis = 0] = parts.slice(1).map((part) => Number(part ?? 0))
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000 + millis
}

const HTTP_DATE =
  /^(?:[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT|[A-Z][a-z]{5,8}, \d\d-[A-Z][a-z]{2}-\d\d \d\d:\d\d:\d\d GMT)$/
const ASCTIME_DATE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/
const ISO_DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/

/** The three date forms of HTTP, and ISO 8601 with a zone. A date in the past is a wait of 0. */
function readDate(text: string, nowMs: number): number | undefined {
  const asctime = ASCTIME_DATE.test(text)
  if (!asctime && !HTTP_DATE.test(text) && !ISO_DATE.test(text)) return undefined
  const at = Date.parse(asctime ? `${text} GMT` : text)
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}

const RETRY_DELAY = /"retryDelay"\s{0,9}:\s{0,9}"(\d{1,9}(?:\.\d{1,12})?)s"/
const FIELD = /"(?:retry_after|retry_after_seconds|estimated_time)"\s{0,9}:\s{0,9}"?(\d{1,12}(?:\.\d{1,12})?)/
const PROSE = /\b(?:try again in|retry in|retry after|retrying in|please wait)\s{1,3}(\d[\d.dhms]{0,24})\s?([a-z]{0,12})/i
const UNITS: [RegExp, number][] = [
  [/^(?:ms|millis|milliseconds?)$/i, 1],
  [/^(?:s|secs?|seconds?)$/i, 1000],
  [/^(?:mins?|minutes?)$/i, 60_000],
  [/^(?:h|hrs?|hours?)$/i, 3_600_000],
  [/^days?$/i, DAY_MS],
]

/** Gemini's RetryInfo rounds down what its own prose says exactly: of the two the longer wait is right. */
function readBody(body: string): number | undefined {
  const delay = RETRY_DELAY.exec(body)
  const prose = readProse(body)
  if (delay) return Math.max(Number(delay[1]) * 1000, prose ?? 0)
  if (prose !== undefined) return prose
  const field = FIELD.exec(body)
  return field ? Number(field[1]) * 1000 : undefined
}

/** "Please try again in 7m12s.", "Please wait 41230 seconds". */
function readProse(body: string): number | undefined {
  const [, value, unit = ''] = PROSE.exec(body) ?? []
  if (value === undefined) return undefined
  const text = value.replace(/\.$/, '')
  const number = readNumber(text)
  if (number === undefined) return readDuration(text)
  const factor = UNITS.find(([name]) => name.test(unit))?.[1]
  return factor === undefined ? undefined : number * factor
}

const RESET = /^x-ratelimit-reset(-.{1,40})?$/

/** Of several limits the exhausted ones count, and of these the last to recover; if none is known to be, the first to recover. */
function readResets(headers: Headers, nowMs: number): number | undefined {
  const exhausted: number[] = []
  const others: number[] = []
  for (const name of Object.keys(headers)) {
    const match = RESET.exec(name)
    const wait = match ? readReset(first(headers[name]) ?? '', nowMs) : undefined
    if (wait === undefined) continue
    const remaining = readNumber(first(headers[`x-ratelimit-remaining${match?.[1] ?? ''}`]))
    if (remaining === 0) exhausted.push(wait)
    else others.push(wait)
  }
  if (exhausted.length > 0) return Math.max(...exhausted)
  return others.length > 0 ? Math.min(...others) : undefined
}

const LEAST_EPOCH_SECONDS = 1e9
const LEAST_EPOCH_MS = 1e12

/** A duration, seconds, a date, or the time since 1970 in seconds or milliseconds. */
function readReset(text: string, nowMs: number): number | undefined {
  const number = readNumber(text)
  if (number === undefined) return readDuration(text) ?? readDate(text, nowMs)
  if (number >= LEAST_EPOCH_MS) return Math.max(0, number - nowMs)
  if (number >= LEAST_EPOCH_SECONDS) return Math.max(0, number * 1000 - nowMs)
  return number * 1000
}
