import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Bus } from '#contracts/bus.ts'
import { asAnswerInbox, questionQueue, questions } from '#contracts/subjects.ts'
import { type Broker, openMemoryBroker } from '#services/bus/memory.ts'
import { askTelemetry } from './analytics-ask.ts'

let broker: Broker
let bus: Bus
beforeEach(async () => {
  broker = await openMemoryBroker()
  bus = broker.connect('ingress').bus
})
afterEach(() => broker.close())

function answerWith(reply: unknown): void {
  const { bus } = broker.connect('telemetry')
  bus.subscribe(
    questions,
    (message) => {
      const to = asAnswerInbox(message.reply)
      if (to) bus.publish(to, new TextEncoder().encode(JSON.stringify(reply)))
    },
    { queue: questionQueue },
  )
}

it('the answer is what telemetry says', async () => {
  const answer = { requests_today: 1, tokens_used: 2, avg_latency: 3, success_rate: 1 }
  answerWith({ answer })
  expect(await askTelemetry(bus)({ kind: 'stats' })).toEqual(answer)
})

it('where telemetry is not running: 503, and what to do', async () => {
  await expect(askTelemetry(bus)({ kind: 'stats' })).rejects.toMatchObject({
    status: 503,
    type: 'server_error',
    retryAfterMs: expect.any(Number),
    message: expect.stringContaining('start "freeway telemetry"'),
  })
})

it('what telemetry cannot say is told in its words', async () => {
  answerWith({ refused: 'the store of telemetry is down' })
  await expect(askTelemetry(bus)({ kind: 'stats' })).rejects.toMatchObject({ status: 503, message: 'the store of telemetry is down' })
})
