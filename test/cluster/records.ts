// What telemetry has written down, asked for over the bus as the administration does.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Answers, PAGE_LIMIT, type QuestionKind, type QuestionOf, type Reply, type RequestEntry } from '#contracts/question.ts'
import { questions } from '#contracts/subjects.ts'
import { connectNats } from '#services/bus/nats.ts'

export interface Records {
  /** All requests that were first heard of since then, ms since 1970. */
  entries(since: number): Promise<RequestEntry[]>
  /** Requests that have ended within the last hour, from the roll-ups. */
  rolledUp(): Promise<number>
  close(): Promise<void>
}

const TIMEOUT_MS = 5_000
const TRIES = 10
const RETRY_MS = 500

export async function openRecords(natsUrl: string): Promise<Records> {
  const backbone = await connectNats({ servers: natsUrl, role: 'ingress', instance: 'cluster-proof' })

  async function ask<Kind extends QuestionKind>(question: QuestionOf<Kind>): Promise<Answers[Kind]> {
    for (let tries = 1; ; tries++) {
      try {
        const data = await backbone.bus.request(questions, new TextEncoder().encode(JSON.stringify(question)), { timeoutMs: TIMEOUT_MS })
        const reply = JSON.parse(new TextDecoder().decode(data.data)) as Reply<Kind>
        if ('answer' in reply) return reply.answer
        throw new Error(reply.refused)
      } catch (error) {
        if (tries === TRIES) throw error
        await sleep(RETRY_MS)
      }
    }
  }

  return {
    async entries(since) {
      const entries: RequestEntry[] = []
      let cursor: string | undefined
      do {
        const page: Answers['requests'] = await ask<'requests'>({
          kind: 'requests',
          since,
          limit: PAGE_LIMIT.max,
          ...(cursor && { cursor }),
        })
        entries.push(...page.data)
        cursor = page.next ?? undefined
      } while (cursor !== undefined)
      return entries
    },
    async rolledUp() {
      return (await ask<'analytics'>({ kind: 'analytics', window_seconds: 3_600, bucket_count: 1 })).total_calls
    },
    close: () => backbone.close(),
  }
}
