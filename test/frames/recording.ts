// Makes real services say everything that they can say, and writes it down as it went over the bus.

import { encode } from '#contracts/message.ts'
import { below, control, inbox, jobs, leases, offerReturn, questions, work } from '#contracts/subjects.ts'
import { chat, openChat } from '#test/support/chat.ts'
import { type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'
import { type Message, messagesOf, neverSeen, readers } from './kinds.ts'

const slow = { chunks: 100, size: 24, tps: 40 }
const LARGE_CHARACTERS = 400_000

/** All messages, in the order in which they were seen. Throws if some kind was never said. */
export async function recordEverything(): Promise<Message[]> {
  await using stack = await startStack({
    workers: [['alpha', 'gamma', 'delta']],
    // Nobody serves beta.
    providers: { alpha: { weight: 2 }, beta: { model: 'nobody' }, gamma: { model: 'seldom', rpm_limit: 1 }, delta: {} },
  })
  await stack.start('telemetry')
  const seen: { subject: string; message: Message }[] = []
  // Who listens for beta's work would be taken for its worker.
  const patterns = [
    jobs,
    leases,
    questions,
    work('alpha'),
    work('gamma'),
    ...['in', 'ctl', 'rt', 'blob', 'evt', 're'].map((group) => below(group)),
  ]
  const taps = patterns.map((pattern) =>
    stack.bus.subscribe(pattern, ({ subject, data }) => {
      // A view on the client's buffer, which is used again.
      for (const message of messagesOf(subject, data.slice())) seen.push({ subject, message })
    }),
  )
  await stack.bus.flush()
  const has = (kind: string) => seen.some(({ message }) => message.kind === kind)
  await sayEverything(stack, has, () => seen.findLast(({ message }) => message.kind === 'in.head')?.subject)
  const missing = () => Object.keys(readers).filter((kind) => !neverSeen.includes(kind) && !has(kind))
  await until('every kind has been said', () => missing().length === 0, { timeoutMs: 10_000, state: missing })
  for (const tap of taps) tap.unsubscribe()
  return seen.map(({ message }) => message)
}

async function sayEverything(stack: Stack, has: (kind: string) => boolean, openInbox: () => string | undefined): Promise<void> {
  const { url, simulator, bus } = stack
  await chat(url, { model: 'alpha/m', stream: false })
  // Its body stays at the ingress until the worker asks for it.
  await openChat(url, { model: 'alpha/m' }, { padding: 'x'.repeat(LARGE_CHARACTERS) }).ended
  await chat(url, { model: 'no-such-model' })
  await chat(url, { model: 'beta/nobody', fallback: false })
  // Its start is told before it is granted to another provider.
  simulator.setFault({}, { status: 500, ttft: 1_000 }, 1)
  await chat(url, { model: 'm' })

  // A stream that is left in its midst, while a worker comes too late for it.
  simulator.setFault({}, slow)
  const open = openChat(url, { model: 'alpha/m' })
  await open.untilText(240)
  const [, , , ingress = '', request = ''] = (openInbox() ?? '').split('.')
  const target = { prov: 'alpha', account: 'alpha-1', model: 'm', billable: false }
  bus.publish(inbox(ingress, request, 9), encode({ t: 'accept', w: 'late', ...target }), { reply: control('alpha', 'late', request, 9) })
  await until('the late worker is denied', () => has('ctl.deny'))
  await until('it has lasted for a heartbeat of both sides', () => has('in.hb') && has('ctl.ack'))
  open.hangUp()
  await until('the call is cancelled', () => has('ctl.cancel'))

  // One that waits for its minute, and is left.
  simulator.setFault({}, { chunks: 1, size: 8 })
  await chat(url, { model: 'gamma/seldom' })
  const waiting = new AbortController()
  const asked = fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-freeway-max-wait': '120' },
    body: JSON.stringify({ model: 'gamma/seldom', messages: [{ role: 'user', content: 'later' }] }),
    signal: waiting.signal,
  }).catch(() => undefined) // it is called off below
  await until('it waits', () => has('in.waiting'))
  waiting.abort()
  await asked

  // A router that knows of a key which the worker does not have.
  const id = 'busy-1'
  const offer = {
    v: 1,
    t: 'offer',
    id,
    n: 1,
    ttl_ms: 5_000,
    inbox: inbox('recorder', id, 1),
    kind: 'chat',
    stream: false,
    include_usage: false,
    est: { in: 1, out: 1 },
    ...target,
    account: 'alpha-7',
    lease: `${id}.1`,
  }
  bus.publish(work('alpha'), encode(offer, new TextEncoder().encode('{}')), { reply: offerReturn('recorder', id, 1) })
  const encoded = new TextEncoder().encode(JSON.stringify({ kind: 'requests', limit: 10 }))
  await bus.request(questions, encoded, { timeoutMs: 10_000 })
}
