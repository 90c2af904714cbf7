// The simulated providers, in a process of their own that nothing is done to. Any message: what they have seen so far.

import process from 'node:process'
import { type Simulator, startSimulator } from '#services/simulator/simulator.ts'
import { models, providers } from './workload.ts'

/** One call, as the provider saw it. Times in ms since 1970. */
export interface Seen {
  provider: string
  /** Which of its keys, as a digest. */
  key: string
  trace: string
  receivedAt: number
  closedAt: number | undefined
  /** It was answered to its end. */
  completed: boolean
}

const seen: { provider: string; trace: string; call: Parameters<Parameters<Simulator['onCall']>[0]>[0] }[] = []
const ports: Record<string, number> = {}

for (const provider of Object.keys(providers)) {
  const simulator = await startSimulator()
  for (const [model, fault] of Object.entries(models)) simulator.setFault({ model }, fault)
  simulator.onCall((call) => {
    const trace = /request ([0-9a-f]{32})/.exec(JSON.stringify(call.body ?? ''))?.[1]
    // Without one it is somebody who looks for models.
    if (trace !== undefined) seen.push({ provider, trace, call })
  })
  ports[provider] = simulator.port
}

process.on('message', () => {
  const calls = seen.map(({ provider, trace, call }): Seen => {
    const { receivedAt, closedAt, completed, headers } = call
    return { provider, trace, key: headers['authorization'] ?? '', receivedAt, closedAt, completed }
  })
  process.send?.(calls)
})
process.on('disconnect', () => process.exit())
process.stdout.write(`${JSON.stringify({ msg: 'ready', ports })}\n`)
