// TLS of the chart's broker on real servers: with the certificate and the configuration that were rendered. Only folders and addresses are
// those of this machine.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { connect } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectNats, type NatsOptions } from '#services/bus/nats.ts'
import { freePort } from '#test/bench/processes.ts'
import { natsBinaries } from '#test/support/nats.ts'
import { root } from '#test/support/sources.ts'
import { until } from '#test/support/until.ts'
import { find, type KubernetesObject, render } from './render.ts'
import { hasValidators } from './tools.ts'

const server = natsBinaries().find(({ name }) => !/v2\.[0-9]\./.test(name))?.binary
const sealed = { secrets: { existingSecret: 's' }, brokerUsers: { existingSecret: 'b' }, mongodb: { existingSecret: 'm' } }

/** Of many ports that were free one may have been taken by the time that a server wants it. */
const retry = 1

describe.skipIf(!hasValidators || !server)('the broker of the chart', { retry }, () => {
  let dir: string
  let running: ChildProcess[]
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'freeway-tls-'))
    running = []
    execFileSync(process.execPath, [join(root, 'services/freeway.ts'), 'nats-config', '--dir', join(dir, 'users')])
  })
  afterEach(async () => {
    const ends = running.filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null).map((child) => once(child, 'exit'))
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(ends)
    rmSync(dir, { recursive: true })
  })

  function run(command: string, args: string[], env: Record<string, string> = {}): ChildProcess {
    const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } })
    running.push(child)
    return child
  }

  /** Each file is there at once, as in a mounted Secret. Returns that of the authority. */
  function writeCertificate(objects: KubernetesObject[], folder = 'tls'): string {
    const { data } = find(objects, 'Secret', 'fw-freeway-nats-tls')
    mkdirSync(join(dir, folder), { recursive: true })
    for (const name of ['ca.crt', 'tls.crt', 'tls.key']) {
      writeFileSync(join(dir, 'next'), atob(data[name]))
      renameSync(join(dir, 'next'), join(dir, folder, name))
    }
    return join(dir, folder, 'ca.crt')
  }

  /** The addresses of the servers' monitors. */
  async function startBrokers(objects: KubernetesObject[], ports: number[]): Promise<string[]> {
    const routes = await Promise.all(ports.map(() => freePort()))
    const monitors = await Promise.all(ports.map(() => freePort()))
    ports.forEach((port, i) => {
      const config = (find(objects, 'ConfigMap', 'fw-freeway-nats').data['nats.conf'] as string)
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replace('port: 4222', `port: ${port}`)
        .replace(':8222', `:${monitors[i]}`)
        .replace('127.0.0.1:6222', `127.0.0.1:${routes[i]}`)
        .replaceAll(/fw-freeway-nats-(\d)\.fw-freeway-nats-headless:6222/g, (_, other) => `localhost:${routes[other]}`)
        .replace('/var/run/nats/nats.pid', join(dir, `${i}.pid`))
        .replace('/data/jetstream', join(dir, `store-${i}`))
        .replaceAll('/etc/nats/tls', join(dir, 'tls'))
      writeFileSync(join(dir, `${i}.conf`), config)
      run(server as string, ['-c', join(dir, `${i}.conf`)], { POD_NAME: `fw-freeway-nats-${i}` })
    })
    return monitors.map((port) => `http://127.0.0.1:${port}`)
  }

  const isHealthy = async (monitor: string) => (await fetch(`${monitor}/healthz`).catch(() => undefined))?.status === 200 // not yet
  const allHealthy = async (monitors: string[]) => (await Promise.all(monitors.map(isHealthy))).every(Boolean)

  /** As the ingress does it. */
  async function enter(servers: string, tls: Partial<NatsOptions>): Promise<string> {
    const nkeySeed = readFileSync(join(dir, 'users/seeds/ingress.nk'), 'utf8').trim()
    try {
      const backbone = await connectNats({ servers, role: 'ingress', instance: 'i1', nkeySeed, timeoutMs: 15_000, ...tls })
      await backbone.close()
      return 'entered'
    } catch (error) {
      return String(error)
    }
  }

  it('is reached over TLS alone, by whoever knows its authority', async () => {
    const objects = render(sealed)
    const ca = writeCertificate(objects)
    const stranger = writeCertificate(render(sealed), 'stranger')
    const port = await freePort()
    const monitors = await startBrokers(objects, [port])
    await until('the broker is healthy', () => allHealthy(monitors), { timeoutMs: 20_000 })
    expect(await enter(`tls://127.0.0.1:${port}`, { caFile: ca })).toBe('entered')
    expect(await enter(`tls://localhost:${port}`, { caFile: ca })).toBe('entered')
    expect(await enter(`tls://127.0.0.1:${port}`, { caFile: stranger })).toMatch(/certificate|signature/)
    expect(await enter(`tls://127.0.0.1:${port}`, {})).toMatch(/certificate/)
    expect(await enter(`nats://127.0.0.1:${port}`, {})).toMatch(/certificate/)
  })

  it('is one cluster of three over TLS, and lets in no server of another authority', async () => {
    const objects = render({ ...sealed, nats: { replicas: 3 } })
    const ca = writeCertificate(objects)
    const ports = await Promise.all([freePort(), freePort(), freePort()])
    const monitors = await startBrokers(objects, ports)
    await until('all three are healthy', () => allHealthy(monitors), { timeoutMs: 20_000 })
    const known = async (monitor = monitors[0]) => (await (await fetch(`${monitor}/routez`)).json()).routes as { tls?: object }[]
    expect((await known()).length).toBeGreaterThanOrEqual(2)
    const [, route] = /localhost:(\d+)/.exec(readFileSync(join(dir, '0.conf'), 'utf8')) as RegExpExecArray
    writeCertificate(render(sealed), 'stranger')
    const file = (name: string) => readFileSync(join(dir, name))
    const options = { ca: readFileSync(ca), cert: file('stranger/tls.crt'), key: file('stranger/tls.key') }
    const socket = connect({ port: Number(route), host: 'localhost', ...options })
    const refused = new Promise((resolve) => socket.once('error', resolve).once('close', () => resolve('closed')))
    expect(String(await refused)).toMatch(/unknown ca|certificate|closed|ECONNRESET/)
  })

  it('that was configured to ask for certificates lets in who shows one', async () => {
    const ca = writeCertificate(render(sealed))
    const file = (name: string) => join(dir, 'tls', name)
    const port = await freePort()
    const listen = ['--listen', `127.0.0.1:${port}`, '--store', join(dir, 'store')]
    const tls = ['--tls-cert', file('tls.crt'), '--tls-key', file('tls.key'), '--tls-ca', ca]
    execFileSync(process.execPath, [join(root, 'services/freeway.ts'), 'nats-config', '--dir', join(dir, 'users'), ...listen, ...tls])
    run(server as string, ['-c', join(dir, 'users/nats.conf')])
    const servers = `tls://127.0.0.1:${port}`
    expect(await enter(servers, { caFile: ca, certFile: file('tls.crt'), keyFile: file('tls.key') })).toBe('entered')
    expect(await enter(servers, { caFile: ca, timeoutMs: 1_000 })).toMatch(/Disconnected/)
  })

  it('serves a renewed certificate to new connections without a restart', async () => {
    const objects = render(sealed)
    const ca = writeCertificate(objects, 'before')
    writeCertificate(objects)
    const port = await freePort()
    const monitors = await startBrokers(objects, [port])
    await until('the broker is healthy', () => allHealthy(monitors), { timeoutMs: 20_000 })
    const script = readFileSync(join(root, 'deploy/helm/freeway/files/reload-broker.sh'), 'utf8')
    const PATH = `${dirname(server as string)}:${process.env.PATH}`
    const watcher = spawn('sh', ['-c', script, 'reload', join(dir, '0.pid'), join(dir, 'tls/tls.crt'), '0.05'], {
      env: { ...process.env, PATH },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    running.push(watcher)
    expect(String((await once(watcher.stdout, 'data'))[0])).toContain('is watched')
    const pid = readFileSync(join(dir, '0.pid'), 'utf8')
    expect(await enter(`tls://127.0.0.1:${port}`, { caFile: ca })).toBe('entered')
    const renewed = writeCertificate(render(sealed))
    expect(String((await once(watcher.stdout, 'data'))[0])).toContain('has changed')
    await until('the new certificate is served', async () => (await enter(`tls://127.0.0.1:${port}`, { caFile: renewed })) === 'entered', {
      timeoutMs: 20_000,
    })
    expect(await enter(`tls://127.0.0.1:${port}`, { caFile: ca })).toMatch(/certificate|signature/)
    expect(readFileSync(join(dir, '0.pid'), 'utf8')).toBe(pid)
  })
})

describe.skipIf(!hasValidators)('its certificate', () => {
  const kept = (objects: KubernetesObject[]) =>
    objects.find(({ kind, metadata }) => kind === 'Secret' && metadata.name.endsWith('-nats-tls'))

  it('is made once, and only where none comes from elsewhere', () => {
    expect(kept(render(sealed))?.metadata.annotations).toEqual({ 'helm.sh/resource-policy': 'keep' })
    expect(kept(render({ ...sealed, nats: { tls: { existingSecret: 'own' } } }))).toBeUndefined()
    expect(kept(render({ ...sealed, nats: { tls: { enabled: false } } }))).toBeUndefined()
    const issued = render({ ...sealed, nats: { tls: { issuer: { name: 'ours', kind: 'ClusterIssuer' } } } })
    expect(kept(issued)).toBeUndefined()
    expect(find(issued, 'Certificate', 'fw-freeway-nats').spec).toMatchObject({
      secretName: 'fw-freeway-nats-tls',
      dnsNames: expect.arrayContaining(['fw-freeway-nats', 'fw-freeway-nats-2.fw-freeway-nats-headless']),
      issuerRef: { name: 'ours', kind: 'ClusterIssuer', group: 'cert-manager.io' },
    })
  })

  it('is watched by a second container where it may be renewed', () => {
    const containers = (tls: object) => {
      const { spec } = find(render({ ...sealed, nats: { tls } }), 'StatefulSet', 'fw-freeway-nats').spec.template
      return [spec.shareProcessNamespace, ...spec.containers.map(({ name }: { name: string }) => name)]
    }
    expect(containers({})).toEqual([undefined, 'nats'])
    expect(containers({ existingSecret: 'own' })).toEqual([true, 'nats', 'reload'])
    expect(containers({ issuer: { name: 'ours' } })).toEqual([true, 'nats', 'reload'])
  })
})
