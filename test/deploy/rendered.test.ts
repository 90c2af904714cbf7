// The chart without a cluster: every container of the trial installation is started as a process, with the arguments and the variables that
// were rendered for it. Only addresses and folders are those of this machine.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { natsBinaries } from '#test/support/nats.ts'
import { root } from '#test/support/sources.ts'
import { until } from '#test/support/until.ts'
import { type Container, example, find, type PodSpec, podsOf } from './render.ts'
import { hasValidators } from './tools.ts'

const server = natsBinaries().find(({ name }) => !/v2\.[0-9]\./.test(name))?.binary
const TOKEN = 'Kq3vXw8LmZr5TbYc2NpHs6Dj'

describe.skipIf(!hasValidators || !server)('the trial installation', () => {
  let dir: string
  const running: ChildProcess[] = []
  /** In the cluster → here. */
  const addresses = new Map<string, string>()
  const ready = new Map<string, string>()
  const faults: string[] = []

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'freeway-rendered-'))
    for (const address of ['nats:4222', 'simulator:9001', 'ingress:80'])
      addresses.set(`fw-freeway-${address}`, `127.0.0.1:${await freePort()}`)
    await startBroker()
    await finished(await start('setup', podOf('setup')))
    for (const name of ['simulator', 'router', 'worker-pool', 'telemetry', 'ingress']) await start(name, podOf(name))
    let said: unknown[] = []
    const isReady = async () => {
      const ask = async (url: string) => (await fetch(url)).text()
      said = await Promise.all([...ready.values()].map((url) => ask(url).catch(({ cause }: Error) => String(cause)))) // not yet
      return said.every((one) => String(one).includes('"status":"ok"'))
    }
    await until('every service is ready', isReady, { timeoutMs: 30_000, state: () => [said, faults] })
  })
  afterAll(async () => {
    const ends = running.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'))
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(ends)
    rmSync(dir, { recursive: true })
  })

  const podOf = (name: string): PodSpec => {
    const pod = podsOf(example('dev.yaml')).find(({ owner }) => owner.metadata.name.startsWith(`fw-freeway-${name}`))
    if (!pod) throw new Error(`no pod ${name}`)
    return pod.spec
  }

  async function startBroker(): Promise<void> {
    const job = podsOf(example('dev.yaml')).find(({ owner }) => owner.metadata.name === 'fw-freeway-broker-users')
    const options = job?.spec.containers[0]?.args ?? []
    await finished(run(process.execPath, ['services/freeway.ts', 'nats-config', '--dir', dir, ...options], {}))
    mkdirSync(join(dir, 'users'))
    copyFileSync(join(dir, 'users.conf'), join(dir, 'users/users.conf'))
    const config = (find(example('dev.yaml'), 'ConfigMap', 'fw-freeway-nats').data['nats.conf'] as string)
      .replaceAll('0.0.0.0', '127.0.0.1')
      .replace('port: 4222', `port: ${portOf('fw-freeway-nats:4222')}`)
      .replace('8222', String(await freePort()))
      .replace('/var/run/nats', dir)
      .replace('/data/jetstream', join(dir, 'jetstream'))
      .replaceAll('/etc/nats/tls', dir)
    const { data } = find(example('dev.yaml'), 'Secret', 'fw-freeway-nats-tls')
    for (const name of ['ca.crt', 'tls.crt', 'tls.key']) writeFileSync(join(dir, name), atob(data[name]))
    writeFileSync(join(dir, 'chart.conf'), config)
    run(server as string, ['-c', join(dir, 'chart.conf')], { POD_NAME: 'fw-freeway-nats-0' })
  }

  const portOf = (address: string) => Number(addresses.get(address)?.split(':')[1])

  async function start(name: string, { containers, volumes = [] }: PodSpec): Promise<ChildProcess> {
    const [container] = containers as [Container]
    const home = join(dir, name)
    mkdirSync(home)
    const seed = volumes.find((volume) => volume.name === 'broker')?.secret?.items[0]?.key
    const config = join(home, 'freeway.json')
    writeFileSync(config, find(example('dev.yaml'), 'ConfigMap', 'fw-freeway-config').data['freeway.json'])
    const places: Record<string, string> = {
      '/etc/freeway/freeway.json': config,
      '/etc/freeway-broker/seed.nk': join(dir, 'seeds', seed ?? ''),
      '/etc/freeway-broker-ca/ca.crt': join(dir, 'ca.crt'),
      '/data': home,
      '0.0.0.0': '127.0.0.1',
    }
    const secrets: Record<string, string> = { FREEWAY_ADMIN_TOKEN: TOKEN, FREEWAY_SECRET: 'v9QmT3xLr7WzKd5NbHc2YpJs' }
    const env: Record<string, string> = {}
    for (const { name: variable, value, valueFrom } of container.env ?? []) {
      if (valueFrom?.secretKeyRef) env[variable] = secrets[variable] ?? ''
      else if (value !== undefined) env[variable] = places[value] ?? here(value)
    }
    // There is no MongoDB here: the embedded store takes its place.
    delete env.MONGODB_URL
    if (env.PORT) env.PORT = String(portOf('fw-freeway-ingress:80'))
    const args = (container.args ?? []).map((arg) => (arg === '9001' ? String(portOf('fw-freeway-simulator:9001')) : arg))
    const command = container.command?.slice(1) ?? ['services/freeway.ts']
    if (env.METRICS_PORT) {
      env.METRICS_PORT = String(await freePort())
      ready.set(name, `http://127.0.0.1:${env.METRICS_PORT}/ready`)
    }
    return run(process.execPath, [...command, ...args], env)
  }

  const here = (value: string) => [...addresses].reduce((text, [there, address]) => text.replaceAll(there, address), value)

  function run(command: string, args: string[], env: Record<string, string>): ChildProcess {
    const { PATH = '' } = process.env
    const child = spawn(command, args, { cwd: root, env: { PATH, TMPDIR: dir, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.resume()
    child.stderr.on('data', (bytes) => faults.push(String(bytes)))
    running.push(child)
    return child
  }

  async function finished(child: ChildProcess): Promise<string> {
    let said = ''
    child.stdout?.on('data', (bytes) => (said += bytes))
    const [code] = await once(child, 'close')
    if (code !== 0) throw new Error(faults.at(-1))
    return said
  }

  it('answers the chat of `helm test`, each service as its own user of the broker', async () => {
    expect(await finished(await start('test-chat', podOf('test-chat')))).toMatch(/^demo\/chat: \S/)
  })

  it('turns readiness off on SIGTERM and ends what it began', async () => {
    const slow = JSON.stringify([{ match: {}, fault: { chunks: 40, tps: 40 } }])
    await fetch(`http://${addresses.get('fw-freeway-simulator:9001')}/sim/faults`, { method: 'PUT', body: slow })
    const stream = await fetch(`http://${addresses.get('fw-freeway-ingress:80')}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
      body: JSON.stringify({ model: 'demo/chat', stream: true, messages: [{ role: 'user', content: 'Hello' }] }),
    })
    const ingress = running.find(({ spawnargs }) => spawnargs.at(-1) === 'ingress') as ChildProcess
    const exit = once(ingress, 'exit')
    ingress.kill('SIGTERM')
    const missing = async () => ((await (await fetch(ready.get('ingress') as string)).json()) as { missing: string[] }).missing
    await until('it is not ready any more', async () => (await missing()).includes('draining'))
    expect((await stream.text()).endsWith('data: [DONE]\n\n')).toBe(true)
    expect((await exit)[0]).toBe(0)
  })
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}
