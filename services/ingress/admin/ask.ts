// Asks routers how providers stand, and workers whether a provider takes its keys: the ingress knows neither, and calls no provider.

import { type Bus, Disconnected, NoResponders, RequestTimeout } from '#contracts/bus.ts'
import { FreewayError } from '#contracts/failure.ts'
import type { TrialQuestion, TrialReply } from '#contracts/key-trial.ts'
import type { RouterAnswers, RouterQuestion, RouterReply } from '#contracts/router-question.ts'
import { keyTrial, routerQuestions, type Subject } from '#contracts/subjects.ts'

const ROUTER_TIMEOUT_MS = 5_000
/** A provider may take its time to refuse a key. */
const TRIAL_TIMEOUT_MS = 40_000
const RETRY_AFTER_MS = 2_000

export type AskRouter = <Asked extends RouterQuestion>(question: Asked) => Promise<RouterAnswers[Asked['kind']]>

/** `ask` rejects with FreewayError 503 when no router answers. */
export function askRouter(bus: Bus): AskRouter {
  return async <Asked extends RouterQuestion>(question: Asked) => {
    const away = 'no router is running, so nobody knows how the providers stand'
    const reply = (await request(bus, routerQuestions, question, ROUTER_TIMEOUT_MS, away)) as RouterReply<Asked['kind']>
    if ('refused' in reply) throw unanswered(reply.refused)
    return reply.answer
  }
}

export type AskWorker = (question: TrialQuestion) => Promise<Extract<TrialReply, { keys: unknown }>>

/** `ask` rejects with FreewayError 503 when no worker serves the provider. */
export function askWorker(bus: Bus): AskWorker {
  return async (question) => {
    const away = 'no worker is running that serves this provider, so its key cannot be tried'
    const reply = (await request(bus, keyTrial(question.provider), question, TRIAL_TIMEOUT_MS, away)) as TrialReply
    if ('refused' in reply) throw unanswered(reply.refused)
    return reply
  }
}

async function request(bus: Bus, to: Subject, question: object, timeoutMs: number, away: string): Promise<unknown> {
  try {
    const { data } = await bus.request(to, new TextEncoder().encode(JSON.stringify(question)), { timeoutMs })
    return JSON.parse(new TextDecoder().decode(data))
  } catch (error) {
    if (error instanceof NoResponders) throw unanswered(away, error)
    if (error instanceof RequestTimeout) throw unanswered('there was no answer in time; ask again', error)
    if (error instanceof Disconnected) throw unanswered('the connection to the broker is down', error)
    throw error
  }
}

function unanswered(message: string, cause?: unknown): FreewayError {
  return new FreewayError('server_error', message, { status: 503, retryAfterMs: RETRY_AFTER_MS, cause })
}
