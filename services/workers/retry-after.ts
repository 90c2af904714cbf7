// Pure. When a provider says it may be asked again, in all the ways in which providers say it.
// Grammar of the header: RFC 9110, section 10.2.3. Date.parse alone would take "-3" and "1.5" for dates in 2001.

export type Headers = Record<string, string | string[] | undefined>

const DAY_MS = 86_400_000
const SCANNED_CHARACTERS = 8192

/** What it said in so many words: milliseconds from `nowMs`; undefined if nothing that can be understood. Header names in lower case. */
export function readRetryAfter(headers: Headers, body: string, nowMs: number): number | undefined {
  return atMostADay(
    readNumber(first(headers['retry-after-ms'])) ??
      readRetryAfterHeader(first(headers['retry-after']), nowMs) ??
      readBody(body.slice(0, SCANNED_CHARACTERS)),
  )
}

function atMostADay(waitMs: number | undefined): number | undefined {
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
const FIELD = /"(?:retry_?after|retry_after_seconds|retryAfterSeconds|estimated_time)"\s{0,9}:\s{0,9}"?(\d{1,12}(?:\.\d{1,12})?)/i
const FIELD_MS = /"retry_?after_?ms"\s{0,9}:\s{0,9}"?(\d{1,12}(?:\.\d{1,12})?)/i
const PROSE =
  /\b(?:(?:try again|retry|retrying|available(?: again)?|resets?|refreshes) (?:in|after)|retry after|(?:please )?wait)\s{1,3}(?:about |at least |for )?(\d[\w .,:]{0,60})/i
const PART = /^[\s,]{0,2}(?:and )?(\d{1,12}(?:\.\d{1,12})?)\s?([a-z]{1,12})/i
const UNITS: [RegExp, number][] = [
  [/^(?:ms|millis|milliseconds?)$/i, 1],
  [/^(?:s|secs?|seconds?)$/i, 1000],
  [/^(?:m|mins?|minutes?)$/i, 60_000],
  [/^(?:h|hrs?|hours?)$/i, 3_600_000],
  [/^(?:d|days?)$/i, DAY_MS],
]

/** Gemini's RetryInfo rounds down what its own prose says exactly: of the two the longer wait is right. */
function readBody(body: string): number | undefined {
  const delay = RETRY_DELAY.exec(body)
  const prose = readProse(body)
  if (delay) return Math.max(Number(delay[1]) * 1000, prose ?? 0)
  if (prose !== undefined) return prose
  const millis = FIELD_MS.exec(body)
  if (millis) return Number(millis[1])
  const field = FIELD.exec(body)
  return field ? Number(field[1]) * 1000 : undefined
}

/** "Please try again in 7m12s.", "Please wait 41230 seconds", "resets in 2 hours and 5 minutes". */
function readProse(body: string): number | undefined {
  let rest = PROSE.exec(body)?.[1] ?? ''
  let waitMs: number | undefined
  for (let part = PART.exec(rest); part; part = PART.exec(rest)) {
    const factor = UNITS.find(([name]) => name.test(part?.[2] ?? ''))?.[1]
    if (factor === undefined) break
    waitMs = (waitMs ?? 0) + Number(part[1]) * factor
    rest = rest.slice(part[0].length)
  }
  return waitMs
}

const RESET = /^x-ratelimit-reset(-.{1,40})?$/

/**
 * When its limits open again, by `x-ratelimit-reset…`. Of several the exhausted ones count, and of these the last to recover;
 * if none is known to be, the first to recover.
 */
export function readResets(headers: Headers, nowMs: number): number | undefined {
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
  if (exhausted.length > 0) return atMostADay(Math.max(...exhausted))
  return others.length > 0 ? atMostADay(Math.min(...others)) : undefined
}

const LEAST_EPOCH_SECONDS = 1e9
const LEAST_EPOCH_MS = 1e12

/** A duration, seconds, a date, or the time since 1970 in seconds or milliseconds. */
export function readReset(text: string, nowMs: number): number | undefined {
  const number = readNumber(text)
  if (number === undefined) return readDuration(text) ?? readDate(text, nowMs)
  if (number >= LEAST_EPOCH_MS) return Math.max(0, number - nowMs)
  if (number >= LEAST_EPOCH_SECONDS) return Math.max(0, number * 1000 - nowMs)
  return number * 1000
}
