// Proof over many processes: a cluster of NATS, several replicas of every service and a steady mixed load, while everything is rolled,
// killed, frozen and cut off. `npm run test:cluster [-- --short] [--seed 1] [--rounds 3] [--rate 60] [--save evidence.json]`; exit code 1 if
// anything was lost, doubled or hung. MONGODB_URL names a database to use instead of its stand-in.
// --from HEAD~1: the deployment begins as another commit had it, and is rolled to the services of today.

import { writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { eventAckWaitMs } from '#contracts/subjects.ts'
import { ask as askTool } from '#test/bench/processes.ts'
import { natsBinaries } from '#test/support/nats.ts'
import { type Deployment, type Slot, startDeployment } from './deployment.ts'
import { type Deed, type Evidence, isExcused, isLimited, isRecorded, isRight, judge, PROMPT } from './judge.ts'
import type { Load, LoadEnd } from './load.ts'
import { type Fault, FROZEN_MS, PARTED_MS, planFaults, type Role } from './plan.ts'
import { chanceOf } from './random.ts'
import { openRecords, type Records } from './records.ts'
import { p99AfterKills, reasons, summarize, survivedTable } from './report.ts'
import type { Seen } from './upstreams.ts'

const { values: options } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string' },
    rounds: { type: 'string' },
    rate: { type: 'string' },
    save: { type: 'string' },
    from: { type: 'string' },
  },
})
const { short } = options
const seed = Number(options.seed ?? Math.floor(Math.random() * 2 ** 31))
const rounds = Number(options.rounds ?? (short ? 1 : 3))
/** The long run rolls through 5,000 requests. */
const ratePerSecond = Number(options.rate ?? (short ? 20 : 60))
const rolledRequests = short ? 0 : 5_000

const CALM_MS = 1_500
const RECOVERY_MS = 1_000
const RECORDED_WITHIN_MS = eventAckWaitMs + 15_000
/** Facts are kept back for a second, and roll-ups follow every second. */
const SETTLED_MS = 3_500
const SHOWN = 15

if (natsBinaries().length === 0) {
  console.error('!!! THE CLUSTER WAS NOT TRIED: there is no nats-server !!!')
  process.exit(0)
}
const began = performance.now()
const chance = chanceOf(seed)
progress(`seed ${seed}: give it with --seed to have the same again`)
const deployment = await startDeployment({ ingress: 3, routers: 3, telemetries: 2, from: options.from })
const stop = () => void deployment.stop().finally(() => process.exit(130))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
const deeds: Deed[] = []
const badExits: string[] = []
const exits: Promise<void>[] = []

try {
  const since = Date.now()
  deployment.load.child.send({ seed, requestsPerSecond: ratePerSecond } satisfies Load)
  progress(`everything runs; ${ratePerSecond} requests a second`)
  await sleep(CALM_MS)
  do await roll()
  while ((Date.now() - since) * ratePerSecond < rolledRequests * 1_000)
  await Promise.all(exits)
  await survive(planFaults(chance, rounds, replicas(), far()))
  badExits.push(...deployment.fallen)
  for (const fallen of badExits) progress(fallen)
  const { told, stalls } = await askTool<LoadEnd>(deployment.load, { stop: true })
  progress(`${told.length} requests have ended; waiting for their records`)
  const seen = await askTool<Seen[]>(deployment.upstreams, {})
  const records = await openRecords(deployment.natsUrl)
  const answered = told.filter((one) => isRecorded(one, deeds)).map(({ requestId }) => requestId as string)
  const { entries, rolledUp } = await untilRecorded(records, since, answered)
  progress(`${rolledUp} have ended in the records`)
  await records.close()
  const evidence = { told, seen, entries, deeds, stalls, badExits, rolledUp }
  if (options.save) await writeFile(options.save, JSON.stringify(evidence))
  const breaches = judge(evidence)

  console.log(`\n${survivedTable(summarize(deeds, told))}\n`)
  const streams = told.filter(({ stream }) => stream).length
  const limited = told.filter(isLimited).length
  const failed = told.filter((one) => !isRight(one) && !isLimited(one))
  const excused = failed.filter((one) => isExcused(one, stalls)).length
  const longestStall = Math.max(0, ...stalls.map(({ ms }) => ms))
  const open = entries.filter(({ outcome }) => outcome === 'open').length
  console.log(
    `${told.length} requests, ${streams} of them streams; ${limited} over a limit of their client; ${failed.length} failed (${excused} while the machine itself stood still); ` +
      `${seen.length} calls of providers; ${entries.length} records, ${open} of them left to be given up; ` +
      `longest standstill of the machine ${Math.round(longestStall)} ms; ${Math.round((performance.now() - began) / 1000)} s; seed ${seed}`,
  )
  const rolls = summarize(deeds, told).filter(({ what }) => what === 'roll')
  const sum = (figure: 'requests' | 'streams' | 'failed') => rolls.reduce((total, row) => total + row[figure], 0)
  const p99Ms = p99AfterKills(deeds, told)
  console.log(
    `rolling restart: ${sum('requests')} requests and ${sum('streams')} streams were under way, ${sum('failed')} failed; ` +
      `new requests after a kill: p99 ${Math.round(p99Ms)} ms, ${RECOVERY_MS} wanted`,
  )
  // On a machine that is busy with something else a second says little: the short run only tells.
  if (!short && p99Ms > RECOVERY_MS + longestStall) breaches.push({ rule: PROMPT, detail: `p99 ${Math.round(p99Ms)} ms` })
  for (const reason of reasons(failed)) console.log(reason)
  for (const [rule, group] of Map.groupBy(breaches, (breach) => breach.rule)) {
    console.log(`\nBREACH: ${rule} (${group.length})`)
    for (const { detail } of group.slice(0, SHOWN)) console.log(`  ${detail}`)
  }
  if (breaches.length > 0) process.exitCode = 1
  else console.log('\nno breach')
} finally {
  await deployment.stop()
}
process.exit()

/** Every process, the brokers included, is replaced by one that is the same. */
async function roll(): Promise<void> {
  for (const role of ['router', 'worker', 'telemetry', 'ingress'] as const) {
    const slots = deployment.slots(role)
    progress(`rolling ${role} × ${slots.length}`)
    for (const slot of slots) {
      await deed('roll', role, slot, async () => {
        const { ended } = await deployment.replace(slot)
        exits.push(ended.then((code) => void (code !== 0 && badExits.push(`${slot.name} ended with ${code}`))))
      })
    }
  }
  progress('rolling broker × 3')
  for (const broker of deployment.brokers) await deed('roll', 'broker', broker, () => deployment.restartBroker(broker))
}

async function survive(faults: Fault[]): Promise<void> {
  for (const fault of faults) {
    const { kind, role, slot: index } = fault
    progress(`${kind} ${role}-${index}`)
    if (role === 'broker') {
      const broker = deployment.brokers[index] as Deployment['brokers'][number]
      await deed(kind, role, broker, async () => {
        await broker.kill(kind === 'kill' ? 'SIGKILL' : 'SIGSTOP')
        if (kind === 'kill') return deployment.restartBroker(broker)
        await sleep(FROZEN_MS)
        await broker.kill('SIGCONT')
      })
    } else {
      const slot = deployment.slots(role)[index] as Slot
      await deed(kind, role, slot, () => inflict(kind, slot))
    }
    await sleep(CALM_MS)
  }
}

async function inflict(kind: Fault['kind'], slot: Slot): Promise<void> {
  if (kind === 'kill') {
    slot.service.kill('SIGKILL')
    await slot.service.exited
    await deployment.refill(slot)
  } else if (kind === 'freeze') {
    slot.service.kill('SIGSTOP')
    await sleep(FROZEN_MS)
    slot.service.kill('SIGCONT')
  } else {
    deployment.setFar(slot, false)
    await sleep(PARTED_MS)
    deployment.setFar(slot, true)
  }
}

/** Ends when every ingress says that it is ready, and every broker is as the others are. */
async function deed(what: Deed['what'], role: Role, on: Slot | Deployment['brokers'][number], act: () => Promise<void>): Promise<void> {
  const slot = 'service' in on ? on : undefined
  const url = slot?.service.url || undefined
  const at = Date.now()
  await act()
  await deployment.untilWhole()
  deeds.push({ what, role, name: slot?.name ?? ('url' in on ? on.url : ''), at, wholeAt: Date.now(), url })
}

/**
 * Facts are on their way for a moment, and for half a minute where a telemetry or a broker took them with it. What a killed ingress had begun
 * stays open until it is given up, more than a minute later.
 */
async function untilRecorded(records: Records, since: number, answered: string[]): Promise<Pick<Evidence, 'entries' | 'rolledUp'>> {
  const deadline = performance.now() + RECORDED_WITHIN_MS
  for (;;) {
    await sleep(SETTLED_MS)
    const rolledUp = await records.rolledUp()
    const entries = await records.entries(since)
    const ended = new Set(entries.filter(({ outcome }) => outcome !== 'open').map(({ id }) => id))
    const whole = rolledUp === ended.size && answered.every((id) => ended.has(id))
    if (whole || performance.now() > deadline) return { entries, rolledUp }
  }
}

function replicas(): Record<Role, number> {
  const count = (role: Slot['role']) => deployment.slots(role).length
  return {
    ingress: count('ingress'),
    router: count('router'),
    worker: count('worker'),
    telemetry: count('telemetry'),
    broker: deployment.brokers.length,
  }
}

function far(): Record<Role, number | undefined> {
  const index = (role: Slot['role']) => deployment.slots(role).findIndex((slot) => slot.far)
  return { ingress: index('ingress'), router: index('router'), worker: index('worker'), telemetry: index('telemetry'), broker: undefined }
}

function progress(text: string): void {
  process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}\n`)
}
