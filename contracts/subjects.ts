// Every subject, stream and bucket of the bus; the only place where one is spelled.
// A subject is built from our own slugs and ids alone. Text of a client never becomes a token.

declare const brand: unique symbol
/** A concrete address, without wildcards. Only the builders below make one. */
export type Subject = string & { readonly [brand]: 'subject' }
/** What a subscription listens to; `*` stands for one token, `>` for the rest. */
export type Pattern = string & { readonly [brand]: 'subject' | 'pattern' }

const TOKEN = /^[A-Za-z0-9_-]{1,40}$/
const ATTEMPT_NUMBER = /^\d{1,2}$/
const PREFIX = 'fw.v1'

export class InvalidSubject extends Error {
  override name = 'InvalidSubject'
  constructor() {
    // The offending token is left out on purpose: it may be text of a client.
    super('subject token refused: it must match [A-Za-z0-9_-]{1,40}')
  }
}

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** Builds `fw.v1.<token>…`. Throws InvalidSubject when a token is not one of ours. */
export function subject(...tokens: string[]): Subject {
  return `${PREFIX}.${checked(tokens)}` as Subject
}

/** Everything below these tokens: what a permission grants, never what a service listens to. */
export function below(...tokens: string[]): Pattern {
  return pattern(tokens, '>')
}

/** One token below these. */
export function oneBelow(...tokens: string[]): Pattern {
  return pattern(tokens, '*')
}

function pattern(tokens: string[], wildcard: '*' | '>'): Pattern {
  return `${PREFIX}.${checked(tokens)}.${wildcard}` as Pattern
}

function checked(tokens: string[]): string {
  return tokens.map(token).join('.')
}

function token(text: string): string {
  if (!TOKEN.test(text)) throw new InvalidSubject()
  return text
}

// Requests and their attempts ---------------------------------------------------------------

const INBOXES = `${PREFIX}.in.`
const OFFER_RETURNS = `${PREFIX}.rt.`
const CONTROLS = `${PREFIX}.ctl.`

export const jobs = subject('job')
export const jobQueue = 'router'

export const work = (provider: string): Subject => subject('work', provider)
export const workQueue = 'w'
/** For traces, where the name of a span must not depend on the provider. */
export const workTemplate = `${PREFIX}.work.{provider}`

export const inbox = (ingress: string, request: string, n: number): Subject =>
  `${INBOXES}${token(ingress)}.${token(request)}.${token(String(n))}` as Subject
export const inboxes = (ingress: string): Pattern => pattern(['in', ingress], '>')

export const offerReturn = (router: string, request: string, n: number): Subject =>
  `${OFFER_RETURNS}${token(router)}.${token(request)}.${token(String(n))}` as Subject
export const offerReturns = (router: string): Pattern => pattern(['rt', router], '>')

export const control = (provider: string, worker: string, request: string, n: number): Subject =>
  `${CONTROLS}${token(provider)}.${token(worker)}.${token(request)}.${token(String(n))}` as Subject
/** Of the worker that listens on `one`: for all of its attempts. The number 0 is never an attempt. */
export const controlOfAll = (one: Subject): Subject => `${one.slice(0, one.lastIndexOf('.', one.lastIndexOf('.') - 1))}.all.0` as Subject
export const controls = (provider: string, worker: string): Pattern => pattern(['ctl', provider, worker], '>')

export const blob = (ingress: string, request: string): Subject => subject('blob', ingress, request)
export const blobs = (ingress: string): Pattern => pattern(['blob', ingress], '>')

export const lease = (account: string): Subject => subject('lease', account)
export const leases = pattern(['lease'], '*')

/** Readiness question of an ingress; the number 0 is never an attempt. */
export const probeInbox = (ingress: string): Subject => subject('in', ingress, 'probe', '0')

/** Where the ingress that runs a background response is asked about it. */
export const responses = (ingress: string): Subject => subject('rs', ingress)

/** Where an ingress is asked whether what it told has been kept; see services/stored-facts.ts. */
export const stored = (ingress: string): Subject => subject('stored', ingress)

/** Where the NATS client lets answers of `request` come in. */
export const requestInboxPrefix = (role: string): string => `${PREFIX}.re.${checked([role])}`

// Events --------------------------------------------------------------------------------------

export const event = (role: string, family: string, name: string): Subject => subject('evt', role, family, name)
export const events = pattern(['evt'], '>')
/** For traces. */
export const eventTemplate = `${PREFIX}.evt.{role}.batch.v1`
export const eventStream = 'FW_EVT'
export const eventConsumer = 'telemetry'
/** Events that telemetry has not acknowledged by then are handed out again. */
export const eventAckWaitMs = 30_000

/** What happens now, told among the ingresses as long as one of them says that somebody watches; see live.ts. */
export const liveFeed = subject('live', 'feed')
export const liveWanted = subject('live', 'wanted')

/** What telemetry is asked; see question.ts. */
export const questions = subject('ask', 'telemetry')
export const questionQueue = 'telemetry'

/** What the routers are asked; one of them answers. See router-question.ts. */
export const routerQuestions = subject('ask', 'router')
export const routerQuestionQueue = 'router'

/** A worker of this provider tries out its keys; see key-trial.ts. */
export const keyTrial = (provider: string): Subject => subject('try', provider)
export const keyTrials = pattern(['try'], '*')

// Key-value buckets -----------------------------------------------------------------------------

export const buckets = { config: 'fw_config', quota: 'fw_quota', access: 'fw_access', responses: 'fw_responses' } as const
/** Entries of these buckets are gone so long after they were last written. OpenAI keeps responses for 30 days; here they lie on the operator's own disk. */
export const bucketAgesMs: Readonly<Record<string, number>> = { [buckets.responses]: 24 * 60 * 60 * 1000 }
export const catalogKey = 'catalog'
/** What was changed while freeway runs; laid over the catalogue. */
export const catalogOverridesKey = 'catalog_overrides'
/** Strategies that were stored, and what holds for requests that say nothing. */
export const routingKey = 'routing'
/** What routers have learned about providers, for one that has just started. */
export const healthKey = 'health'
/** Access tiers that the operator gave to names of models and kinds of requests. */
export const tiersKey = 'tiers'

/** Of `access`. The accounts whose digest begins with the same three digits share an entry. */
export const accessKeys = {
  account: (keyHash: string): string => `account.${checked([keyHash.slice(0, 3)])}`,
  accounts: 'account.*',
  ban: (id: string): string => `ban.${checked([id])}`,
  bans: 'ban.*',
  settings: 'settings',
  /** Says that there is a first client, or has been one. */
  setup: 'setup',
  /** The number of the last entry. */
  auditHead: 'audit',
  auditSlot: (slot: number): string => `audit.${slot}`,
  auditSlots: 'audit.*',
  /** Counts of what may happen only so often; spread over sixteen entries. */
  tally: (digest: string): string => `tally.${checked([digest.slice(0, 1)])}`,
  /** When all members of the community were last looked up. */
  roster: 'roster',
} as const

/** Of `responses`. Ids are our own tokens: `resp_` and the id of the request. */
export const responseKeys = {
  head: (id: string): string => `${checked([id])}.head`,
  /** A part of what was too large for the head; `set` tells apart who wrote it. */
  body: (id: string, set: string, part: number): string => checked([id, `${set}${part}`]),
  events: (id: string, part: number): string => checked([id, `e${part}`]),
  all: (id: string): string => `${checked([id])}.*`,
} as const

// Reading ---------------------------------------------------------------------------------------

/** The request and attempt number at the end of an inbox, offer-return or control subject. */
export function attemptOf(subject: string): { request: string; n: number } | undefined {
  const last = subject.lastIndexOf('.')
  const before = subject.lastIndexOf('.', last - 1)
  const n = subject.slice(last + 1)
  if (before < 0 || !ATTEMPT_NUMBER.test(n)) return undefined
  return { request: subject.slice(before + 1, last), n: Number(n) }
}

/** The reply of an `accept`, if it is a control subject of this very provider, request and attempt. */
export function asControl(text: string | undefined, provider: string, request: string, n: number): Subject | undefined {
  if (!text?.startsWith(provider, CONTROLS.length) || text[CONTROLS.length + provider.length] !== '.') return undefined
  return ofAttempt(text, CONTROLS, CONTROLS.length + provider.length + 1, request, n)
}

/** The reply of a `waiting`, if it is where some router hears of this very request and attempt. */
export function asOfferReturn(text: string | undefined, request: string, n: number): Subject | undefined {
  return ofAttempt(text, OFFER_RETURNS, OFFER_RETURNS.length, request, n)
}

/** The reply of an offer or grant, if it is the inbox of this very request and attempt. */
export function asInbox(text: string | undefined, request: string, n: number): Subject | undefined {
  return ofAttempt(text, INBOXES, INBOXES.length, request, n)
}

/** The reply of a probe, if it is the probe inbox of some ingress. */
export function asProbeInbox(text: string | undefined): Subject | undefined {
  return ofAttempt(text, INBOXES, INBOXES.length, 'probe', 0)
}

/** The reply of a `request`, if it lies below the prefix where services let answers come in. */
export function asAnswerInbox(text: string | undefined): Subject | undefined {
  if (!text?.startsWith(`${PREFIX}.re.`)) return undefined
  return text.split('.').every((token) => TOKEN.test(token)) ? (text as Subject) : undefined
}

/** One token of ours from `from` on, and after it this very attempt. Compared in place: building the two ends would cost more than all else here. */
function ofAttempt(text: string | undefined, beginning: string, from: number, request: string, n: number): Subject | undefined {
  if (!text?.startsWith(beginning)) return undefined
  const last = text.lastIndexOf('.')
  const end = last - request.length - 1
  if (text.slice(last + 1) !== String(n) || text[end] !== '.' || !text.startsWith(request, end + 1)) return undefined
  return TOKEN.test(text.slice(from, end)) ? (text as Subject) : undefined
}
