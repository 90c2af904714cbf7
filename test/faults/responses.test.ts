// Background responses when their ingress dies: what was told is replayed elsewhere, and the end is told there too.

import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { report } from '#test/support/measured.ts'
import { type Service, type Stack, startStack } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

let stack: Stack
beforeAll(async () => {
  stack = await startStack({ ingress: 1, env: { FREEWAY_DRAIN_MS: '500' } })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(() => stack.reset())

interface Told {
  type: string
  sequence_number: number
  delta?: string
  response?: { id: string; status: string; error: unknown; output: { content: { text: string }[] }[] }
}

async function begin(at: Service, stream = false): Promise<Response> {
  const body = JSON.stringify({ model: 'm', input: 'Go on.', background: true, stream })
  return await fetch(`${at.url}/v1/responses`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
}

const get = async (at: Service, id: string) => (await (await fetch(`${at.url}/v1/responses/${id}`)).json()) as NonNullable<Told['response']>
const resume = (at: Service, id: string, after?: number) =>
  fetch(`${at.url}/v1/responses/${id}?stream=true${after === undefined ? '' : `&starting_after=${after}`}`)

async function* eventsOf(response: Response): AsyncGenerator<Told> {
  let rest = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    const events = (rest + decoder.decode(bytes, { stream: true })).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) {
      const data = event.split('\n').find((line) => line.startsWith('data: {'))
      if (data) yield JSON.parse(data.slice(6))
    }
  }
}

async function collect(response: Response): Promise<Told[]> {
  const told: Told[] = []
  for await (const event of eventsOf(response)) told.push(event)
  return told
}
const textOf = (told: Told[]) => told.map(({ type, delta }) => (type === 'response.output_text.delta' ? delta : '')).join('')

/** Whatever a test before has left, one ingress runs that is to go and one that is to stay. */
async function pair(): Promise<[Service, Service]> {
  const running = () => stack.ingresses.filter((ingress) => ingress.running)
  while (running().length < 2) await stack.start('ingress')
  const [first, second] = running() as [Service, Service]
  for (const { url } of [first, second]) await until('the ingress is ready', async () => (await fetch(`${url}/ready`)).status === 200)
  return [first, second]
}

it('a background response is followed on another ingress to its end', async () => {
  const [first, second] = await pair()
  stack.simulator.setFault({}, { chunks: 30, size: 24, tps: 60 })
  const { id } = (await (await begin(first)).json()) as { id: string }
  const [here, there] = await Promise.all([collect(await resume(first, id)), collect(await resume(second, id))])
  expect(there).toEqual(here)
  expect(there.map(({ sequence_number }) => sequence_number)).toEqual(there.map((_, index) => index))
  const last = there.at(-1)
  expect(last).toMatchObject({ type: 'response.completed', response: { id, status: 'completed' } })
  expect(textOf(there)).toBe(last?.response?.output[0]?.content[0]?.text)
  expect(stack.simulator.calls).toHaveLength(1)
})

it('a background response whose ingress is killed is replayed on another, and ends there as failed', async () => {
  const [first, second] = await pair()
  stack.simulator.setFault({}, { chunks: 1_000, size: 24, tps: 60 })
  const live = eventsOf(await begin(first, true))
  const seen: Told[] = []
  for await (const event of live) {
    seen.push(event)
    if (seen.length === 30) break
  }
  const id = seen[0]?.response?.id ?? ''
  const following = resume(second, id, 9).then(collect)
  const killedMs = performance.now()
  first.kill('SIGKILL')
  await first.exited
  const told = await following
  report('ingress killed with a background response, until its failure is told elsewhere', performance.now() - killedMs)
  expect(performance.now() - killedMs).toBeLessThan(8_000)
  // What one client saw, every other sees again, in the same places.
  expect(told.slice(0, 20)).toEqual(seen.slice(10))
  expect(told.map(({ sequence_number }) => sequence_number)).toEqual(told.map((_, index) => index + 10))
  expect(told.slice(-2).map(({ type }) => type)).toEqual(['error', 'response.failed'])
  expect(await get(second, id)).toMatchObject({ id, status: 'failed', error: { code: 'server_error' } })
  const later = await collect(await resume(second, id, told.length))
  expect(later).toEqual(told.filter(({ sequence_number }) => sequence_number > told.length))
  expect(stack.simulator.calls).toHaveLength(1)
  await until('its call is given up', () => stack.simulator.openCalls === 0)
})

it('a background response whose ingress is killed is failed for one who only asks how it stands', async () => {
  const [first, second] = await pair()
  stack.simulator.setFault({}, { stall: 'head' })
  const { id } = (await (await begin(first)).json()) as { id: string }
  await until('the provider is called', () => stack.simulator.calls.length === 1)
  expect((await get(second, id)).status).toBe('in_progress')
  first.kill('SIGKILL')
  await until('it is failed', async () => (await get(second, id)).status === 'failed')
})

it('an ingress asked to stop ends its background responses as failed before it goes', async () => {
  const [first, second] = await pair()
  stack.simulator.setFault({}, { chunks: 1_000, size: 24, tps: 60 })
  const { id } = (await (await begin(first)).json()) as { id: string }
  await until('the provider is called', () => stack.simulator.calls.length === 1)
  first.kill('SIGTERM')
  expect((await first.exited).code).toBe(0)
  expect(await get(second, id)).toMatchObject({ status: 'failed', error: { code: 'server_error' } })
})

it('a background response is called off from another ingress', async () => {
  const [first, second] = await pair()
  stack.simulator.setFault({}, { chunks: 1_000, size: 24, tps: 60 })
  const { id } = (await (await begin(first)).json()) as { id: string }
  await until('the provider is called', () => stack.simulator.calls.length === 1)
  const cancelled = (await (await fetch(`${second.url}/v1/responses/${id}/cancel`, { method: 'POST' })).json()) as Told['response']
  expect(cancelled?.status).toBe('cancelled')
  expect((await get(first, id)).status).toBe('cancelled')
  await until('its call is given up', () => stack.simulator.openCalls === 0)
})
