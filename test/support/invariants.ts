// What must hold after every fault, whatever it was.

import { expect } from 'vitest'
import type { Event } from '#contracts/event.ts'
import type { Reply } from './chat.ts'
import { load, type Stack } from './stack.ts'
import { until } from './until.ts'

export interface Allowed {
  /** Requests that were refused before they were accepted. */
  refused?: number
  /** Requests whose ingress was killed: nobody tells how they ended. */
  lostRequests?: number
  /** The broker took messages with it: the lease of an attempt that was never granted may be left to its expiry (row 22). */
  brokerLost?: boolean
  /** What the provider was about to say, where it is not `load`. */
  whole?: string
  timeoutMs?: number
}

type Fact<Name extends Event['name']> = Extract<Event, { name: Name }>

/** `replies`: everything that clients of this test got. */
export async function expectInvariants(stack: Stack, replies: Reply[], allowed: Allowed = {}): Promise<void> {
  const { refused = 0, lostRequests = 0, brokerLost = false, whole = textOf(load), timeoutMs = 4_000 } = allowed
  await until('everything has come to its end', () => Object.values(unsettled()).every((count) => count === 0), {
    timeoutMs,
    state: unsettled,
  })

  function unsettled() {
    const [attempts, byIngress, byWorker] = [granted(), ends('.ingress'), ends('.worker')]
    return {
      untold: Math.max(0, stack.requests - refused - told().size),
      requests: told().size - facts(stack, 'req.end').length - lostRequests,
      // What a killed ingress has not told is told by the worker.
      attempts: attempts.filter((at) => !byWorker.has(at) && !byIngress.has(at)).length,
      untoldAttempts: lostRequests > 0 ? 0 : attempts.filter((at) => !byIngress.has(at)).length,
      calls: stack.simulator.openCalls,
      // An ingress that lost its worker does not know whether the call was sent; the worker tells when it is back.
      misjudged: Math.abs(stack.simulator.calls.length - sentAttempts().length),
      leases: stack.openLeases.filter((lease) => !brokerLost || isGranted(lease)).length,
    }
  }

  /** Requests that somebody told of: most are told when they end. An offer that nobody granted is none. */
  function told(): Set<string> {
    const requests = [...facts(stack, 'req.start'), ...facts(stack, 'req.end')].map(({ request }) => request)
    return new Set([...requests, ...granted().map((at) => at.slice(0, at.lastIndexOf('.')))])
  }

  /** `<request>.<n>`. Of an ingress that was killed only the worker may tell it. */
  function granted(): string[] {
    const calls = facts(stack, 'att.end').filter(({ result }) => result !== 'denied' && result !== 'expired')
    return [...new Set([...facts(stack, 'att.granted'), ...calls].map(({ request, n }) => `${request}.${n}`))]
  }

  /** Attempts whose end this role told, or whoever did; `sent` where only those count that were sent, or were not. */
  function ends(role: string, sent?: boolean): Set<string> {
    const said = facts(stack, 'att.end').filter((end) => end.id.endsWith(role) && (sent === undefined || end.sent === sent))
    return new Set(said.map(({ request, n }) => `${request}.${n}`))
  }

  function isGranted(lease: string): boolean {
    return granted().includes(lease)
  }

  function sentAttempts(): string[] {
    const notSent = ends('', false)
    return granted().filter((at) => !notSent.has(at))
  }

  const outcomes = facts(stack, 'req.end').map(({ request }) => request)
  expect(new Set(outcomes).size, 'one outcome for each request').toBe(outcomes.length)
  expect(stack.simulator.calls.length, 'calls of the provider = granted attempts that were sent').toBe(sentAttempts().length)
  for (const reply of replies) expectPrefix(stack, reply, whole)
}

function expectPrefix(stack: Stack, reply: Reply, whole: string): void {
  const granted = Number(reply.headers['x-freeway-attempts'] ?? 3)
  expect(callsOf(stack, reply).length, 'calls for one request').toBeLessThanOrEqual(Math.min(3, granted))
  expect(whole.startsWith(reply.text), `${JSON.stringify(reply.text.slice(0, 200))} is a prefix of what the provider says`).toBe(true)
  const complete = reply.status === 200 && reply.error === undefined && !reply.broken
  expect(reply.text === whole, 'complete exactly if there was no error').toBe(complete)
}

export function facts<Name extends Event['name']>(stack: Stack, name: Name): Fact<Name>[] {
  return stack.facts.filter((fact): fact is Fact<Name> => fact.name === name)
}

/** What the simulator says under a fault of this shape. */
export function textOf({ chunks, size }: { chunks: number; size: number }): string {
  return Array.from({ length: chunks }, (_, i) => `${i} `.padEnd(size, 'x')).join('')
}

export function callsOf(stack: Stack, { marker }: { marker: string }) {
  return stack.simulator.calls.filter(({ body }) => JSON.stringify((body as { messages?: unknown })?.messages ?? '').includes(`"${marker}`))
}
