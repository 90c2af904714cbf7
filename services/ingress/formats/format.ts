// What the exchange knows of a client format, and all it knows: how a request is read, an answer said, a failure told.
// What workers send for a chat is always a chat completion, whole or as events, and for other jobs what OpenAI would answer;
// a format makes its own bytes of it.

import type { FreewayError } from '#contracts/failure.ts'
import type { Job } from '#contracts/job.ts'
import type { Envelope } from '#contracts/wire/envelope.ts'

export interface Format {
  /** Throws, or rejects with, FreewayError if the request is refused. */
  readRequest(body: Uint8Array, request: RequestHead): Asked | Promise<Asked>
  /** How everything is told that goes wrong before a stream has begun. */
  envelope: Envelope
  /** A larger body is refused before it has been read. Absent: as the front decides. */
  maxBodyBytes?: number
}

export interface RequestHead {
  headers: Pick<Headers, 'get'>
  /** Ours, of this request; an id of the answer may be made from it. */
  id: string
}

/** One request, understood. `answer` may remember of it whatever the answer needs. */
export interface Asked {
  job: Job
  answer: AnswerFormat
}

export interface AnswerFormat {
  /** How a streamed answer is said. Asked for once, if the job is a stream. */
  stream(): StreamFormat
  /** A whole chat completion as JSON → what the client gets. Throws, or rejects with, FreewayError if it cannot be said. */
  whole(completion: Uint8Array, by: AnsweredBy): Uint8Array | Promise<Uint8Array>
  /** The media type of what `whole` gives, where it is another than that of what workers send. */
  type?: string
}

/** Who has answered, and as the how-manieth that was asked: 1 is the first. */
export interface AnsweredBy {
  provider: string
  model: string
  position: number
}

/** After `end` or `fail` nothing is asked any more. */
export interface StreamFormat {
  /** Keeps a silent line open; may come before anything else, and between any two events. Undefined: nothing may be put in between. */
  readonly ping: Uint8Array | undefined
  /** Whole events of a chat completion, without their `[DONE]`; undefined if there is nothing to say of them yet. */
  write(events: Uint8Array): Uint8Array | undefined
  /** The last bytes of an answer that is complete. A promise never rejects. */
  end(): Uint8Array | Promise<Uint8Array>
  /** The last bytes of an answer that broke off; nothing need have been written before. Undefined: only a broken connection can tell it. */
  fail(error: FreewayError, requestId: string): Uint8Array | undefined
  /** The media type of this stream, from that of what the worker sends. Absent: events. */
  type?(sent: string): string
}
