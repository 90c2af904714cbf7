// The talk between a job's owner (an ingress) and one worker, and how the router brings the two together.
// A control message is one JSON object; the body of a job follows it after a line feed, untouched,
// so that whoever only routes a job never parses the client's text.

import { z } from 'zod'
import { adaptation } from './adaptation.ts'
import { explained } from './explained.ts'
import { estimate, jobKinds, need } from './job.ts'
import { learnedLimit } from './limit.ts'
import { kindsOf } from './message.ts'
import { phases, refusalCodes, refusalScopes, usage } from './settlement.ts'
import { isToken } from './subjects.ts'

const token = z.string().refine(isToken)
const attemptNumber = z.int().min(0).max(32)
const ms = z.number().min(0)
/** `sent_at`: ms since 1970 by the sender's clock, where it is of interest how long a message waited. */
const trace = z.object({ traceparent: z.string(), tracestate: z.string().optional(), sent_at: z.number().optional() })
/** Reference to a body that stays at the ingress and is pulled in parts. Sizes in bytes. */
const blob = z.object({
  size: z.int().min(0),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  parts: z.int().min(1),
  part_size: z.int().min(1),
})
export type BlobReference = z.infer<typeof blob>

const target = z.object({
  prov: token,
  account: token,
  /** The provider's own name of the model. */
  model: z.string(),
  /** Whether a call may cost money: such a call is never repeated on suspicion. */
  billable: z.boolean(),
})
export type Target = z.infer<typeof target>

// ingress → router ----------------------------------------------------------------------------

export const submit = z.object({
  v: z.literal(1),
  t: z.literal('submit'),
  id: token,
  n: attemptNumber,
  ttl_ms: ms,
  kind: z.enum(jobKinds),
  stream: z.boolean(),
  /** The client asked for a usage chunk at the end of the stream. */
  include_usage: z.boolean(),
  key_id: z.string().optional(),
  model: z.string().optional(),
  strategy: z.string().optional(),
  preferred: z.string().optional(),
  fallback: z.boolean(),
  billable_ok: z.boolean(),
  need,
  est: estimate,
  /** Hard: provider, provider/account, or provider/account/model. */
  exclude: z.array(z.string()),
  /** Soft: taken only if nothing else is left. */
  avoid: z.array(z.string()),
  /** Attempts of this job that were given up before a grant, and never will be granted. */
  abandoned: z.array(attemptNumber).optional(),
  /** How long the job may wait for a window of quota to open, once every candidate's is spent. Absent: not at all. */
  max_wait_ms: ms.optional(),
  /** Roles of the caller, beside `public`: which access tiers are open to it. Absent: all. */
  roles: z.array(z.string()).optional(),
  /** The client wants to know why: `routed` and `noroute` then carry `explained`. */
  explain: z.boolean().optional(),
  /** For the model it is sent to again, after a refusal that said what to change. */
  adapt: adaptation.optional(),
  blob: blob.optional(),
  trace: trace.optional(),
})
export type Submit = z.infer<typeof submit>

export const probe = z.object({ v: z.literal(1), t: z.literal('probe') })
export const jobMessage = z.discriminatedUnion('t', [submit, probe])
export type JobMessage = z.infer<typeof jobMessage>
export const jobMessageKinds = kindsOf(jobMessage)

/** To the router that told `waiting`, at the reply subject of that: nobody wants the answer any more. */
export const withdrawalKinds: ReadonlySet<string> = new Set(['withdraw'])
export type Withdrawal = { t: 'withdraw' }

// router → worker -----------------------------------------------------------------------------

export const offer = target.extend({
  v: z.literal(1),
  t: z.literal('offer'),
  id: token,
  n: attemptNumber,
  ttl_ms: ms,
  inbox: z.string(),
  kind: z.enum(jobKinds),
  stream: z.boolean(),
  /** The client asked for a usage chunk at the end of the stream. */
  include_usage: z.boolean(),
  est: estimate,
  lease: z.string(),
  adapt: adaptation.optional(),
  blob: blob.optional(),
  trace: trace.optional(),
})
export type Offer = z.infer<typeof offer>
export const offerKinds: ReadonlySet<string> = new Set(['offer'])

// router, worker → inbox ----------------------------------------------------------------------

const routed = target.extend({
  t: z.literal('routed'),
  lease: z.string(),
  reason: z.string(),
  /** The strategy that decided, for the records. */
  strategy: z.string().optional(),
  explained: explained.optional(),
})
const noroute = z.object({
  t: z.literal('noroute'),
  reason: z.enum(['none', 'unknown_model', 'unknown_strategy', 'quota', 'cooldown', 'unsupported', 'tier', 'version']),
  retry_after_ms: ms.optional(),
  explained: explained.optional(),
})
/** The job is parked until a window opens, in `wait_ms` at the earliest. Repeated every second; who hears nothing for long submits again. */
const waiting = z.object({ t: z.literal('waiting'), wait_ms: ms, position: z.int().min(1) })
const refused = z.object({ t: z.literal('refused'), prov: token, reason: z.literal('no_worker') })
const busy = z.object({
  t: z.literal('busy'),
  prov: token,
  account: token,
  lease: z.string(),
  w: token,
  reason: z.enum(['full', 'draining', 'version']),
})
const accept = target.extend({
  t: z.literal('accept'),
  w: token,
  /** This worker takes confirmations of many attempts in one message; see `fins`. */
  fins: z.boolean().optional(),
})
const hb = z.object({ t: z.literal('hb'), st: z.enum(['connecting', 'waiting', 'streaming', 'paused']), seq: z.int().min(0) })
const head = z.object({
  t: z.literal('head'),
  status: z.int(),
  framing: z.enum(['sse', 'bytes']),
  type: z.string(),
  provider: token,
  model: z.string(),
  upstream_id: z.string().optional(),
  /** From the grant to the first byte written, and from there to the first meaningful event. */
  worker_ms: ms,
  upstream_ms: ms,
})
const end = z.object({
  t: z.literal('end'),
  /** What the headers of the answer told about limits. */
  learned: z.array(learnedLimit).optional(),
  /** Number of frames. */
  seq: z.int().min(0),
  finish: z.string(),
  usage,
  usage_source: z.enum(['provider', 'estimated']),
  upstream_id: z.string().optional(),
  flags: z.array(z.string()).optional(),
})
/** All of a short answer at once, to an owner whose grant says that it takes it: what the two would say, and the body, which is no frame. */
const whole = z.object({ t: z.literal('whole'), head, end })

const fail = z.object({
  t: z.literal('fail'),
  /** Number of frames sent before it. */
  seq: z.int().min(0),
  phase: z.enum(phases),
  /** HTTP status of the provider, or the status it stands for; 0 if there was none. */
  status: z.int(),
  code: z.enum(refusalCodes),
  /** False proves that no byte of the request was written. */
  sent: z.boolean(),
  key_fault: z.boolean(),
  retry_after_ms: ms.optional(),
  /** What is at fault and must rest: this request only, the model, the key (account), or the whole provider. */
  scope: z.enum(refusalScopes).optional(),
  learned: z.array(learnedLimit).optional(),
  /** The same model may take the request if this is changed in it. */
  adapt: adaptation.optional(),
  usage: usage.optional(),
  /** Redacted, for operators only. */
  detail: z.string(),
})
export type Fail = z.infer<typeof fail>

const pong = z.object({ t: z.literal('pong'), router: token })

export const inboxMessage = z.discriminatedUnion('t', [routed, noroute, waiting, refused, busy, accept, hb, head, end, whole, fail, pong])
export type InboxMessage = z.infer<typeof inboxMessage>
export const inboxKinds = kindsOf(inboxMessage)
export type Head = z.infer<typeof head>
export type End = z.infer<typeof end>
export type Whole = z.infer<typeof whole>
export type Routed = z.infer<typeof routed>
export type Noroute = z.infer<typeof noroute>

// ingress → control ---------------------------------------------------------------------------

const grant = z.object({
  t: z.literal('grant'),
  window: z.int().min(1),
  ttl_ms: ms,
  /** A short answer may come as one message, `whole`. */
  whole: z.boolean().optional(),
})
const deny = z.object({ t: z.literal('deny') })
const ack = z.object({
  t: z.literal('ack'),
  /** All frames up to here have arrived; -1: none yet. */
  s: z.int().min(-1),
  /** Asks for everything after `s` once more. */
  resend: z.boolean().optional(),
  /** Confirms `end` or `fail`. */
  fin: z.boolean().optional(),
})
export const cancelReasons = ['client_canceled', 'client_stalled', 'deadline', 'superseded', 'shutdown', 'unknown'] as const
const cancel = z.object({ t: z.literal('cancel'), why: z.enum(cancelReasons) })
export type CancelReason = (typeof cancelReasons)[number]

/** Confirms `end`, `fail` or `whole` of many attempts, `<request>.<n>` each; at the subject that is the worker's for none of them. */
const fins = z.object({ t: z.literal('fins'), of: z.array(z.string()) })

export const controlMessage = z.discriminatedUnion('t', [grant, deny, ack, cancel, fins])
export type ControlMessage = z.infer<typeof controlMessage>
export const controlKinds = kindsOf(controlMessage)

// ingress → blob ------------------------------------------------------------------------------

export const blobQuestion = z.object({ t: z.literal('part'), n: attemptNumber, k: z.int().min(0) })
