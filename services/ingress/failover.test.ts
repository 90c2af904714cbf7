import { afterEach, beforeEach, expect, it } from 'vitest'
import { submit } from '#contracts/attempt.ts'
import type { Backbone } from '#contracts/bus.ts'
import { decode, encode, Message } from '#contracts/message.ts'
import { jobQueue, jobs, type Subject } from '#contracts/subjects.ts'
import { type Harness, openMemoryHarness } from '#test/support/backbones.ts'
import { ADMIN_TOKEN, chat, openIngressWorld } from '#test/support/ingress.ts'

let stack: AsyncDisposableStack
beforeEach(() => {
  stack = new AsyncDisposableStack()
})
afterEach(() => stack.disposeAsync())

const isSubmit = (data: Uint8Array | Message) => data instanceof Message && submit.safeParse(data.head).success

/** The same bus, as one that has several servers describes itself. `onSubmit`: a job has been sent. */
function asCluster(backbone: Backbone, onSubmit: () => void): Backbone {
  const get = (bus: Backbone['bus'], name: string) => {
    if (name === 'topology') return 'cluster'
    if (name === 'publish')
      return (...args: Parameters<Backbone['bus']['publish']>) => {
        const sent = bus.publish(...args)
        // Routers are also asked there whether they live.
        if (args[0] === jobs && isSubmit(args[1])) onSubmit()
        return sent
      }
    const value: unknown = Reflect.get(bus, name, bus)
    return typeof value === 'function' ? value.bind(bus) : value
  }
  return { ...backbone, bus: new Proxy(backbone.bus, { get: (bus, name) => get(bus, String(name)) }) }
}

async function openWorld(seenAs: (backbone: Backbone) => Backbone) {
  const harness = await openMemoryHarness()
  const own: Harness = { ...harness, connect: async (name) => seenAs(await harness.connect(name)) }
  const world = stack.use(await openIngressWorld(async () => own))
  return { url: (await world.start()).url, harness }
}

it('without any router a request is refused at once', async () => {
  const { url } = await openWorld((backbone) => backbone)
  expect(await chat(url, ADMIN_TOKEN)).toMatchObject({ status: 503, body: { error: { message: 'no router is running' } } })
})

it('in a cluster of brokers a router that is just moving from one server to another is waited for', async () => {
  const submitted = Promise.withResolvers<void>()
  const { url, harness } = await openWorld((backbone) => asCluster(backbone, submitted.resolve))
  const reply = chat(url, ADMIN_TOKEN)
  const { bus } = await harness.connect('router')
  await submitted.promise
  const { promise: heard, resolve: hear } = Promise.withResolvers<number>()
  bus.subscribe(
    jobs,
    ({ data, reply: inbox }) => {
      const job = decode(submit, data)
      if (!job) return
      hear(job.message.n)
      bus.publish(inbox as Subject, encode({ t: 'noroute', reason: 'unknown_model' }))
    },
    { queue: jobQueue },
  )
  expect(await heard).toBeGreaterThan(1)
  expect(await reply).toMatchObject({ status: 400, body: { error: { message: 'unknown aliased model' } } })
})
