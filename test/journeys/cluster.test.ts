// A cluster on one machine as an operator starts and stops it: every service a process of its own, watched, and nothing left behind.

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Simulator } from '#services/simulator/simulator.ts'
import { chat, openChat } from '#test/support/chat.ts'
import { denoBinary } from '#test/support/deno.ts'
import { type GatewayOptions, type Run, runFreeway } from '#test/support/gateway.ts'
import { natsBinaries, startTestNats } from '#test/support/nats.ts'
import { until } from '#test/support/until.ts'
import { configWith, startUpstream } from '#test/support/upstream.ts'

let simulator: Simulator
beforeEach(async () => {
  simulator = await startUpstream()
})
afterEach(() => simulator.close())

interface Process {
  pid: number
  parent: number
  command: string
}

function processes(): Process[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' })
  return table.split('\n').flatMap((line) => {
    const [, pid, parent, command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []
    return pid ? [{ pid: Number(pid), parent: Number(parent), command }] : []
  })
}
const childrenOf = ({ pid }: Run) => processes().filter(({ parent }) => parent === pid)
const running = (pids: number[]) => processes().filter(({ pid, command }) => pids.includes(pid) && !command.includes('<defunct>'))
const roleOf = ({ command }: Process) => {
  if (command.startsWith('/bin/sh -c')) return 'guard'
  return /freeway\.ts (\w+)/.exec(command)?.[1] ?? (command.includes('nats-server') ? 'nats-server' : command)
}

/** `size`: of ingresses, routers and workers, each. */
async function startCluster(options: GatewayOptions = {}, size = '2'): Promise<{ run: Run; urls: string[] }> {
  const run = await runFreeway(['cluster', '--ingress', size, '--router', size, '--workers', size], {
    config: configWith(simulator),
    ...options,
  })
  const printed = run.printed(/^ {2}API {8}(.*)$/m).catch(async (error: unknown) => {
    await run[Symbol.asyncDispose]()
    throw error
  })
  const [, line = ''] = await printed
  return { run, urls: line.split(/\s+/).map((url) => url.replace(/\/v1$/, '')) }
}

describe.skipIf(natsBinaries().length === 0)('a cluster', () => {
  it('answers at every ingress, replaces a router that dies, and stops in order with its streams complete', async () => {
    const { run, urls } = await startCluster()
    await using _ = run
    const members = childrenOf(run)
    expect(members.map(roleOf).sort()).toEqual(
      ['guard', 'ingress', 'ingress', 'nats-server', 'router', 'router', 'telemetry', 'worker', 'worker'].sort(),
    )
    const isReady = async (url: string) => (await fetch(`${url}/ready`)).ok
    await until('both ingresses are ready', async () => (await Promise.all(urls.map(isReady))).every(Boolean))
    for (const url of urls) expect(await chat(url, { model: 'm-large' })).toMatchObject({ status: 200, done: true })

    const router = members.find((member) => roleOf(member) === 'router') as Process
    process.kill(router.pid, 'SIGKILL')
    expect(await chat(urls[0] as string, { model: 'm-large' })).toMatchObject({ status: 200, done: true })
    const routers = () => childrenOf(run).filter((member) => roleOf(member) === 'router')
    const ready = () => run.log.filter(({ msg, service }) => msg === 'ready' && service === 'router').length
    await until('a new router is ready', () => ready() === 3, { timeoutMs: 10_000, state: () => run.log.slice(-5) })
    expect(routers()).toHaveLength(2)
    expect(run.log).toContainEqual(
      expect.objectContaining({ msg: 'process ended, starting it again', process: expect.stringMatching(/^router-/) }),
    )

    simulator.setFault({}, { chunks: 40, size: 8, tps: 40 })
    const stream = openChat(urls[1] as string, { model: 'm-large' })
    await stream.untilText(16)
    const all = childrenOf(run).map(({ pid }) => pid)
    run.kill('SIGTERM')
    expect(await stream.ended).toMatchObject({ status: 200, done: true, broken: false })
    expect(await run.exited).toEqual({ code: 0, signal: null })
    expect(running(all)).toEqual([])

    const stops = run.log.filter(({ msg }) => msg === 'stopping').map(({ service }) => service)
    expect(stops.slice(0, 3)).toEqual(['cluster', 'ingress', 'ingress'])
    expect(stops.slice(3).sort()).toEqual(['router', 'router', 'telemetry', 'worker', 'worker'])
  })

  it('takes a signal that comes twice for one, and leaves nobody behind when it is told again', async () => {
    const { run, urls } = await startCluster({ env: { METRICS_PORT: '0' } })
    await using _ = run
    const all = childrenOf(run).map(({ pid }) => pid)
    simulator.setFault({}, { chunks: 200, size: 8, tps: 20 })
    const stream = openChat(urls[0] as string, { model: 'm-large' })
    await stream.untilText(16)
    run.kill('SIGTERM')
    run.kill('SIGTERM')
    // More than a second of the stream.
    await stream.untilText(240)
    // The ingress without a stream may have ended by itself.
    expect(running(all).length).toBeGreaterThanOrEqual(all.length - 1)
    run.kill('SIGTERM')
    expect(await run.exited).toEqual({ code: 1, signal: null })
    await until('all have ended', () => running(all).length === 0, { timeoutMs: 5_000 })
    await stream.ended
  })

  it.each([
    ['Node', {}],
    ['Deno', { runtime: [denoBinary(), 'run', '-A'] }],
  ])('whose supervisor is killed ends its streams, and then itself: on %s', async (_, options) => {
    const { run, urls } = await startCluster(options, '1')
    await using __ = run
    const all = childrenOf(run).map(({ pid }) => pid)
    expect(all).toHaveLength(6)
    simulator.setFault({}, { chunks: 40, size: 8, tps: 40 })
    const stream = openChat(urls[0] as string, { model: 'm-large' })
    await stream.untilText(16)
    run.kill('SIGKILL')
    expect(await stream.ended).toMatchObject({ status: 200, done: true, broken: false })
    await until('nothing runs any more', () => running(all).length === 0, { timeoutMs: 10_000, state: () => running(all) })
  })

  it('on a broker of somebody else starts none, and keeps its password to itself', async () => {
    const nats = await startTestNats()
    await using _ = { [Symbol.asyncDispose]: () => nats.stop() }
    const { run, urls } = await startCluster({ env: { NATS_URL: nats.url.replace('//', '//user:hunter2@') } }, '1')
    await using __ = run
    expect(childrenOf(run).map(roleOf).sort()).toEqual(['ingress', 'router', 'telemetry', 'worker'])
    expect(await chat(urls[0] as string, { model: 'm-large' })).toMatchObject({ status: 200, done: true })
    await run.printed(new RegExp(`bus {8}NATS at ${nats.url}$`, 'm'))
    expect(run.stdout + run.stderr).not.toContain('hunter2')
  })

  it('starts its broker again when that dies', async () => {
    const { run, urls } = await startCluster({}, '1')
    await using _ = run
    const broker = () => childrenOf(run).find((member) => roleOf(member) === 'nats-server' && !member.command.includes('<defunct>'))?.pid
    const killed = broker() as number
    process.kill(killed, 'SIGKILL')
    await until('there is another', () => ![killed, undefined].includes(broker()))
    const ask = () => chat(urls[0] as string, { model: 'm-large' })
    await until('requests are answered', async () => (await ask()).status === 200, { timeoutMs: 10_000 })
  })

  it('is not kept from its end by a process that is frozen', async () => {
    const { run } = await startCluster({ env: { FREEWAY_DRAIN_MS: '0' } }, '1')
    await using _ = run
    const all = childrenOf(run)
    process.kill(all.find((member) => roleOf(member) === 'router')?.pid as number, 'SIGSTOP')
    run.kill('SIGTERM')
    expect(await run.exited).toEqual({ code: 0, signal: null })
    expect(running(all.map(({ pid }) => pid))).toEqual([])
  })

  it('that cannot start says why, and leaves nothing behind', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    await using _ = { [Symbol.asyncDispose]: async () => void taken.close() }
    const run = await runFreeway(['cluster', '--ingress', '1', '--router', '1', '--workers', '1'], {
      config: configWith(simulator),
      env: { PORT: String((taken.address() as AddressInfo).port) },
    })
    await using __ = run
    await until('all but the ingress run', () => childrenOf(run).map(roleOf).includes('telemetry'), { timeoutMs: 15_000 })
    const all = childrenOf(run).map(({ pid }) => pid)
    expect((await run.exited).code).toBe(1)
    expect(run.stderr).toContain('ingress-0 ended with code 1 before it was ready')
    await until('nothing runs any more', () => running(all).length === 0, { state: () => running(all) })
  })
})
