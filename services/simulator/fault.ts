// Pure. What the simulator can be told to do wrong, one word per habit of a real upstream. The same words serve in TypeScript (`setFault`),
// as JSON (`x-sim-fault`, `PUT /sim/faults`) and behind a model's name: `sim/slow?ttft=200&tps=50`, `sim/x?status=429&header-retry-after=3`.
// A place in a stream is the number of events sent before it; negative counts from the end (-1: before `[DONE]`).

import { z } from 'zod'
import { FreewayError } from '#contracts/failure.ts'

const number = z.coerce.number()
const count = number.int().min(0)
const flag = z.union([z.boolean(), z.enum(['', '1', 'true', '0', 'false']).transform((word) => word !== '0' && word !== 'false')])
const list = <T extends z.ZodType>(item: T) =>
  z.preprocess((value) => (typeof value === 'string' ? value.split(',') : value), z.array(item))
const place = number.int()
/** `head`: before the status line. */
const stop = z.union([z.literal('head'), place])

const schema = z.strictObject({
  // Time and size.
  /** Milliseconds before the answer, status line included. */
  ttft: number.min(0).max(86_400_000),
  /** Send the status line before waiting. */
  early: flag,
  /** Events per second; without it as fast as the reader takes them. */
  tps: number.positive(),
  /** Text pieces of the answer, and bytes in each: piece `i` begins with its number. */
  chunks: count,
  size: count,
  /** Pieces without end, each of `size` bytes. */
  endless: flag,
  /** Events per socket write; 1 unless told otherwise. */
  burst: number.int().min(1),
  /** Bytes per socket write, whatever the events. */
  split: number.int().min(1),
  /** Offsets in the body at which a new socket write begins. */
  splitAt: list(count),

  // Instead of the answer.
  status: number.int().min(200).max(599),
  headers: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  /** Text as it is, anything else as JSON. */
  body: z.unknown(),
  /** Id of a recorded error, e.g. `groq-429-tpm`. */
  sample: z.string(),
  /** Only so many calls of a model within any minute; the next gets 429 and the exact wait. */
  rpm: count,

  // The connection.
  /** FIN without the end of the body. */
  cut: stop,
  /** RST. */
  reset: stop,
  /** Silence with the connection open. */
  stall: stop,
  /** A proper end of the HTTP body: 0 is an empty stream, 1 a role and no more. */
  end: place,
  /** Send half of the event at which the stream breaks off. */
  partial: flag,
  /** `Connection: close` and neither length nor chunks: the end looks like any other end. */
  framing: z.literal('close'),
  /** A head that no HTTP parser takes. */
  head: z.enum(['bad-status', 'folded', 'huge']),
  gzip: flag,

  // What the events say.
  error: place,
  /** Alone (`data`), with `event: error`, or inside a chunk that has choices. */
  errorAs: z.enum(['data', 'event', 'chunk']),
  /** The frame's content; OpenAI's envelope unless told otherwise. */
  errorBody: z.unknown(),
  /** An event that is not JSON. */
  malformed: place,
  /** `blank` is the blank line after the last event. */
  omit: list(z.enum(['role', 'finish', 'done', 'blank'])),
  finish: z.string(),
  tools: list(
    z.enum(['no-index', 'index-0', 'first-index-1', 'no-type', 'no-id', 'null-id', 'empty-id', 'same-id', 'repeat', 'whole', 'in-finish']),
  ),
  usage: z.enum(['none', 'first', 'last', 'every', 'choices', 'negative', 'string', 'x_groq']),
  /** Events after `[DONE]`. */
  after: count,

  // How the events are spelled.
  newline: z.enum(['crlf', 'cr', 'mixed']),
  bom: flag,
  /** A comment before every event. */
  comment: z.string(),
  /** False: no blank after `data:`. */
  blank: flag,
  /** JSON over several `data:` lines. */
  multiline: flag,
})

const fault = schema.partial()
export type Fault = z.infer<typeof fault>

/** Throws FreewayError 400 that names the wrong word. */
export function readFault(value: unknown): Fault {
  const read = fault.safeParse(value)
  if (read.success) return read.data
  const issue = read.error.issues[0]
  const where = issue?.path.join('.')
  throw new FreewayError('invalid_request_error', `simulator fault${where ? ` ${where}` : ''}: ${issue?.message}`, {
    code: 'invalid_fault',
  })
}

/** The fault behind the `?` of a model's name. Lists are separated by commas; `header-<name>` sets one header. */
export function readDirective(model: string): Fault | undefined {
  const mark = model.indexOf('?')
  if (mark < 0) return undefined
  const words: Record<string, unknown> = {}
  const headers: Record<string, string> = {}
  for (const [word, value] of new URLSearchParams(model.slice(mark + 1))) {
    if (word.startsWith('header-')) headers[word.slice(7)] = value
    else words[word] = value
  }
  if (Object.keys(headers).length > 0) words['headers'] = headers
  return readFault(words)
}

export function withoutDirective(model: string): string {
  const mark = model.indexOf('?')
  return mark < 0 ? model : model.slice(0, mark)
}
