// What the ingresses ask for their operators: how the providers stand, and what a strategy would choose.

import type { Bus, BusMessage, Subscription } from '#contracts/bus.ts'
import { type RouterAnswers, type RouterQuestion, type RouterReply, routerQuestion } from '#contracts/router-question.ts'
import { asAnswerInbox, routerQuestionQueue, routerQuestions } from '#contracts/subjects.ts'
import type { Logger } from '#services/logger.ts'

/** What one message surely holds. */
const MAX_ANSWER_BYTES = 900_000

export interface AnswersOptions {
  bus: Bus
  logger: Logger
  answer(question: RouterQuestion): Promise<RouterAnswers[RouterQuestion['kind']]>
}

/** Answers until it is unsubscribed. */
export function answerQuestions({ bus, logger, answer }: AnswersOptions): Subscription {
  async function onQuestion({ data, reply }: BusMessage): Promise<void> {
    const to = asAnswerInbox(reply)
    if (to) bus.publish(to, await replyTo(data))
  }

  async function replyTo(data: Uint8Array): Promise<Uint8Array> {
    const asked = routerQuestion.safeParse(jsonOf(data))
    if (!asked.success) return said({ refused: 'the router does not know this question; are all services of the same version?' })
    try {
      const bytes = said({ answer: await answer(asked.data) })
      return bytes.length <= MAX_ANSWER_BYTES ? bytes : said({ refused: 'the answer is too long for one message; ask for one provider' })
    } catch (error) {
      logger.error('a question could not be answered', { kind: asked.data.kind, error })
      return said({ refused: 'the router could not answer; its log says why' })
    }
  }

  return bus.subscribe(routerQuestions, (message) => void onQuestion(message), { queue: routerQuestionQueue })
}

function said(reply: RouterReply<RouterQuestion['kind']>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(reply))
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return undefined // the schema refuses it
  }
}
