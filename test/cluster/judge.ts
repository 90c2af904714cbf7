// Pure. What has to hold after everything that was done to the deployment; each breach in one line that names the request.

import type { RequestEntry } from '#contracts/question.ts'
import type { Told } from './asking.ts'
import type { Stall } from './load.ts'
import type { Kind, Role } from './plan.ts'
import type { Seen } from './upstreams.ts'
import { clients, providers } from './workload.ts'

/** Something that was done. Times in ms since 1970. */
export interface Deed {
  what: Kind | 'roll'
  role: Role
  name: string
  at: number
  /** Everything was whole again. */
  wholeAt: number
  /** Of an ingress that it was done to. */
  url: string | undefined
}

export interface Evidence {
  told: Told[]
  seen: Seen[]
  entries: RequestEntry[]
  deeds: Deed[]
  stalls: Stall[]
  /** Processes that were asked to end and did so with another code than 0. */
  badExits: string[]
  /** Requests that have ended, as the roll-ups of analytics count them. */
  rolledUp: number
}

/** What has to hold, whatever was done. */
export const rules = [
  'who is asked to end ends well',
  'no request hangs',
  'what is read is what the provider said, once and in order',
  'no answer is cut silently',
  'a failure says what it is',
  'a rolling restart fails no request and breaks no stream',
  'at most three calls for a request',
  'calls = granted attempts',
  'an answer comes from a provider',
  'nothing is called that nobody asked for',
  'no quota is exceeded',
  'every request is recorded once',
  'every request has an outcome',
  'records say what the client saw',
  'nothing is recorded that nobody asked for',
  'roll-ups count every request once',
] as const

/** Only on a machine that does nothing else. */
export const PROMPT = 'new requests are served within a second of a kill'

export interface Breach {
  rule: (typeof rules)[number] | typeof PROMPT
  detail: string
}

export function judge(evidence: Evidence): Breach[] {
  const { told, badExits } = evidence
  return [
    ...told.flatMap((one) => judgeAnswer(one, evidence)),
    ...judgeRoll(evidence),
    ...judgeCalls(evidence),
    ...judgeQuotas(evidence),
    ...judgeRecords(evidence),
    ...badExits.map((detail): Breach => ({ rule: 'who is asked to end ends well', detail })),
  ]
}

export const isRight = ({ status, text, ended, broken, error }: Told): boolean =>
  status === 200 && text === 'whole' && ended && !broken && error === undefined

/** By a limit of its client's own. */
export const isLimited = ({ status, client }: Told): boolean =>
  status === 429 && clients.some(({ name, rpm_limit, max_concurrency }) => name === client && (rpm_limit ?? max_concurrency) !== undefined)

/** Its ingress was killed while it had the request: nobody is left who could say anything. */
const lostItsIngress = ({ url, sentAt, endedAt }: Told, deeds: Deed[], afterMs = 0): boolean =>
  deeds.some((deed) => deed.what === 'kill' && deed.url === url && deed.at >= sentAt - 50 && deed.at <= endedAt + afterMs)

function judgeAnswer(one: Told, { deeds }: Evidence): Breach[] {
  const detail = describe(one)
  if (one.hung) return [{ rule: 'no request hangs', detail }]
  if (one.text === 'wrong') return [{ rule: 'what is read is what the provider said, once and in order', detail }]
  if (isRight(one)) return []
  if (one.status === 200 && one.ended && !one.broken && one.error === undefined) return [{ rule: 'no answer is cut silently', detail }]
  const clear = one.error !== undefined && !one.broken
  return clear || lostItsIngress(one, deeds) ? [] : [{ rule: 'a failure says what it is', detail }]
}

/** A restart that is announced costs nobody anything. */
function judgeRoll({ told, deeds, stalls }: Evidence): Breach[] {
  const rolls = deeds.filter(({ what }) => what === 'roll')
  return told
    .filter((one) => !isRight(one) && !isLimited(one) && rolls.some(({ at, wholeAt }) => one.sentAt >= at && one.sentAt <= wholeAt))
    .filter((one) => !isExcused(one, stalls))
    .map((one) => ({ rule: 'a rolling restart fails no request and breaks no stream', detail: describe(one) }))
}

/** Of a process that does next to nothing: one that serves waits many times as long for its turns. */
const STALLED_MS = 250
const AROUND_MS = 1_500

/** The machine itself stood still: a request that was given up for that, in clear words, is nobody's fault. */
export function isExcused({ sentAt, endedAt, error, broken }: Told, stalls: Stall[]): boolean {
  const clear = error !== undefined && !broken
  return clear && stalls.some(({ at, ms }) => ms >= STALLED_MS && at + ms >= sentAt - AROUND_MS && at <= endedAt + AROUND_MS)
}

/** A provider is called at most once for each granted attempt, and once for each that came to an answer. */
function judgeCalls({ told, seen, entries, deeds }: Evidence): Breach[] {
  const callsOf = Map.groupBy(seen, ({ trace }) => trace)
  const entryOf = new Map(entries.map((entry) => [entry.id, entry]))
  const breaches: Breach[] = []
  for (const one of told) {
    const calls = callsOf.get(one.trace)?.length ?? 0
    const entry = one.requestId === undefined ? undefined : entryOf.get(one.requestId)
    const attempts = entry?.attempts ?? []
    const answered = attempts.filter(({ result }) => result === 'ok').length
    if (calls > 3) breaches.push({ rule: 'at most three calls for a request', detail: `${calls} calls: ${describe(one)}` })
    if (entry && !lostItsIngress(one, deeds, UNTOLD_MS) && calls > attempts.length)
      breaches.push({ rule: 'calls = granted attempts', detail: `${calls} calls, ${attempts.length} attempts: ${describe(one)}` })
    if (calls < answered)
      breaches.push({ rule: 'calls = granted attempts', detail: `${answered} answers of ${calls} calls: ${describe(one)}` })
    if (isRight(one) && calls === 0) breaches.push({ rule: 'an answer comes from a provider', detail: describe(one) })
  }
  const asked = new Set(told.map(({ trace }) => trace))
  for (const { trace, provider } of seen)
    if (!asked.has(trace)) breaches.push({ rule: 'nothing is called that nobody asked for', detail: `${provider} for ${trace}` })
  return breaches
}

const MINUTE_MS = 60_000
/** A call is counted before it is sent: this long it may have been under way on a machine that stands still now and then. */
const UNDER_WAY_MS = 3_000

function judgeQuotas({ told, seen }: Evidence): Breach[] {
  const breaches: Breach[] = []
  for (const [provider, { keys, rpm_limit, at_once }] of Object.entries(providers)) {
    const own = seen.filter((call) => call.provider === provider)
    for (const [key, calls] of Map.groupBy(own, (call) => call.key)) {
      const most = mostWithin(
        calls.map(({ receivedAt }) => ({ from: receivedAt, to: receivedAt })),
        MINUTE_MS - UNDER_WAY_MS,
      )
      if (rpm_limit !== undefined && most > rpm_limit)
        breaches.push({ rule: 'no quota is exceeded', detail: `${provider} ${key}: ${most} calls in a minute of ${rpm_limit}` })
      const open = mostOpen(calls)
      if (at_once !== undefined && open > at_once)
        breaches.push({ rule: 'no quota is exceeded', detail: `${provider} ${key}: ${open} calls at once of ${at_once}` })
    }
    if (Map.groupBy(own, (call) => call.key).size > keys.length)
      breaches.push({ rule: 'no quota is exceeded', detail: `${provider} was called with a key that is not one of its ${keys.length}` })
  }
  for (const { name, rpm_limit } of clients) {
    if (rpm_limit === undefined) continue
    const admitted = told.filter(({ client, status }) => client === name && status === 200)
    const most = mostWithin(
      admitted.map(({ sentAt, firstAt, endedAt }) => ({ from: sentAt, to: firstAt ?? endedAt })),
      MINUTE_MS,
    )
    if (most > rpm_limit)
      breaches.push({ rule: 'no quota is exceeded', detail: `client ${name}: ${most} requests in a minute of ${rpm_limit}` })
  }
  return breaches
}

/** Of things that happened at some moment from `from` to `to`: the most that certainly happened within a window of this length. */
export function mostWithin(things: { from: number; to: number }[], lengthMs: number): number {
  const sorted = things.toSorted((a, b) => a.from - b.from)
  return Math.max(0, ...sorted.map(({ from: start }) => sorted.filter(({ from, to }) => from >= start && to < start + lengthMs).length))
}

/** Only calls that came to their end: one that was given up may be noticed late by those who are alive. */
function mostOpen(calls: Seen[]): number {
  const turns = calls
    .filter(({ completed, closedAt }) => completed && closedAt !== undefined)
    .flatMap(({ receivedAt, closedAt = 0 }) => [
      { at: receivedAt, by: 1 },
      { at: closedAt, by: -1 },
    ])
    .sort((a, b) => a.at - b.at || a.by - b.by)
  let open = 0
  let most = 0
  for (const { by } of turns) {
    open += by
    most = Math.max(most, open)
  }
  return most
}

/** What an ingress has not told yet when it is killed is found out only after a minute. */
const UNTOLD_MS = 1_500

/** Somebody has answered for it, and lives to tell. */
export const isRecorded = (one: Told, deeds: Deed[]): boolean =>
  one.requestId !== undefined && one.status !== 429 && !lostItsIngress(one, deeds, UNTOLD_MS)

/** Every request that somebody answered for stands in the records once, and has ended there; the roll-ups count the same. */
function judgeRecords({ told, entries, deeds, rolledUp }: Evidence): Breach[] {
  const breaches: Breach[] = []
  const byId = Map.groupBy(entries, ({ id }) => id)
  for (const one of told) {
    if (!isRecorded(one, deeds)) continue
    const own = byId.get(one.requestId as string) ?? []
    const [entry] = own
    if (own.length !== 1) breaches.push({ rule: 'every request is recorded once', detail: `${own.length} records: ${describe(one)}` })
    else if (entry?.outcome === 'open') breaches.push({ rule: 'every request has an outcome', detail: describe(one) })
    else if (isRight(one) !== (entry?.outcome === 'ok'))
      breaches.push({ rule: 'records say what the client saw', detail: `${entry?.outcome}: ${describe(one)}` })
  }
  // Of a request whose client saw no status line we do not know the id.
  const known = new Set(told.map(({ requestId }) => requestId))
  const nameless = told.filter(({ requestId }) => requestId === undefined).length
  const strange = entries.filter(({ id }) => !known.has(id))
  if (strange.length > nameless)
    breaches.push({
      rule: 'nothing is recorded that nobody asked for',
      detail: `${strange.length} records for ${nameless} requests without a status`,
    })
  const ended = entries.filter(({ outcome }) => outcome !== 'open').length
  if (rolledUp !== ended) breaches.push({ rule: 'roll-ups count every request once', detail: `${rolledUp} of ${ended}` })
  return breaches
}

export function describe(one: Told): string {
  const { format, stream, client, status, error, broken, text, sentAt, endedAt, requestId, trace, tail } = one
  const how = [stream ? 'stream' : 'whole', client, `status ${status}`, error, broken ? 'broken' : undefined, text]
    .filter(Boolean)
    .join(', ')
  const when = new Date(sentAt).toISOString().slice(11, 23)
  return `${when} ${format} (${how}) ${endedAt - sentAt} ms, ${requestId ?? trace}${tail ? `: ${tail.replaceAll(/\s+/g, ' ').slice(-160)}` : ''}`
}
