// A broker with one user for each service: real processes do their work on it, and whatever is another's is refused by the server.

import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { connect, Events, type NatsConnection, nkeyAuthenticator } from 'nats'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startSimulator } from '#services/simulator/simulator.ts'
import { environment } from '#test/support/environment.ts'
import { natsBinaries } from '#test/support/nats.ts'
import { startService } from '#test/support/stack.ts'
import { until } from '#test/support/until.ts'

const adminToken = randomBytes(24).toString('base64url')
const cli = join(import.meta.dirname, '../../services/freeway.ts')

describe.each(natsBinaries())('on $name', ({ binary, name }) => {
  let stack: AsyncDisposableStack
  let dir = ''
  let url = ''
  let report = ''
  const seed = (user: string) => join(dir, 'nats/seeds', `${user}.nk`)

  beforeAll(async () => {
    stack = new AsyncDisposableStack()
    dir = await mkdtemp(join(tmpdir(), 'freeway-broker-'))
    stack.defer(() => rm(dir, { recursive: true, force: true }))
    const port = await freePort()
    url = `nats://127.0.0.1:${port}`
    report = freeway('nats-config', ...configuration(port))
    const server = spawn(binary, ['-c', join(dir, 'nats/nats.conf')], { stdio: 'ignore' })
    stack.defer(async () => {
      server.kill('SIGKILL')
      await once(server, 'exit')
    })
    await until('the broker listens', async () => {
      const nc = await connectAs('setup').catch(() => undefined) // not yet
      await nc?.close()
      return nc !== undefined
    })
    freeway('nats-setup')
  })
  afterAll(() => stack.disposeAsync())

  function configuration(port: number): string[] {
    const version = /v(\d+\.\d+\.\d+)/.exec(name)?.[1] as string
    const own = ['--dir', join(dir, 'nats'), '--listen', `127.0.0.1:${port}`]
    return [...own, '--server-version', version, '--worker', 'alpha', '--worker', 'beta,gamma']
  }

  function freeway(...args: string[]): string {
    const env = { ...process.env, NATS_URL: url, NATS_NKEY_FILE: args[0] === 'nats-setup' ? seed('setup') : '' }
    return execFileSync(process.execPath, [cli, ...args], { env, encoding: 'utf8', cwd: dir })
  }

  async function connectAs(user: string): Promise<NatsConnection> {
    const authenticator = nkeyAuthenticator(new TextEncoder().encode((await readFile(seed(user), 'utf8')).trim()))
    const inboxPrefix = `fw.v1.re.${user.split('-')[0]}.test`
    return connect({ servers: url.slice('nats://'.length), authenticator, inboxPrefix, reconnect: false, noAsyncTraces: true })
  }

  test('every service does its work: a chat goes through, and telemetry has counted it', async () => {
    const simulator = await startSimulator()
    await using processes = new AsyncDisposableStack()
    processes.defer(() => simulator.close())
    const models = [{ id: 'm', capabilities: ['chat'], context_window: 10_000_000 }]
    const alpha = { base_url: `${simulator.url}/v1`, api_key: 'k', models }
    await writeFile(join(dir, 'freeway.json'), JSON.stringify({ providers: { alpha } }))
    const start = (user: string, ...args: string[]) => {
      const env = {
        ...environment(),
        PORT: '0',
        FREEWAY_DEMO: 'off',
        FREEWAY_DATA: join(dir, 'data'),
        FREEWAY_CONFIG: join(dir, 'freeway.json'),
        FREEWAY_ADMIN_TOKEN: adminToken,
      }
      return startService(user, args, { ...env, NATS_URL: url, NATS_NKEY_FILE: seed(user) }, processes, () => {})
    }
    await start('router', 'router')
    await start('worker-alpha', 'worker', 'alpha')
    await start('telemetry', 'telemetry')
    const ingress = await start('ingress', 'ingress')
    await until('the ingress is ready', async () => (await fetch(`${ingress.url}/ready`)).status === 200)
    const body = JSON.stringify({ model: 'alpha/m', messages: [{ role: 'user', content: 'Hello' }] })
    const large = JSON.stringify({ model: 'alpha/m', messages: [{ role: 'user', content: 'x'.repeat(400_000) }] })
    for (const text of [body, large]) {
      const answer = await fetch(`${ingress.url}/v1/chat/completions`, { method: 'POST', body: text })
      expect([answer.status, await answer.json()]).toMatchObject([200, { object: 'chat.completion' }])
    }
    const asAdmin = { headers: { 'x-admin-token': adminToken, 'content-type': 'application/json' } }
    for (const path of ['/api/analytics', '/api/requests', '/api/providers', '/api/strategies', '/api/clients', '/api/audit']) {
      const answer = await fetch(`${ingress.url}${path}`, asAdmin)
      expect([path, answer.status, await answer.json()]).toMatchObject([path, 200, {}])
    }
    const changed = await fetch(`${ingress.url}/api/providers/alpha`, { ...asAdmin, method: 'PATCH', body: '{"weight":2}' })
    expect([changed.status, await changed.json()]).toMatchObject([200, { provider: { weight: 2 } }])
    const tried = await fetch(`${ingress.url}/api/providers/alpha/test`, { ...asAdmin, method: 'POST', body: '{}' })
    expect([tried.status, await tried.json()]).toMatchObject([200, { ok: true }])
    const kept = await fetch(`${ingress.url}/v1/responses`, {
      method: 'POST',
      body: JSON.stringify({ model: 'alpha/m', input: 'Hello' }),
      ...asAdmin,
    })
    const { id } = (await kept.json()) as { id: string }
    expect([kept.status, (await fetch(`${ingress.url}/v1/responses/${id}`, asAdmin)).status]).toEqual([200, 200])
    const nc = await connectAs('telemetry')
    processes.defer(() => nc.close())
    const consumer = '$JS.API.CONSUMER.INFO.FW_EVT.telemetry'
    await until('all events are acknowledged', async () => {
      const info = (await nc.request(consumer)).json<{ delivered: { stream_seq: number }; num_pending: number; num_ack_pending: number }>()
      return info.delivered.stream_seq > 0 && info.num_pending === 0 && info.num_ack_pending === 0
    })
  })

  test.each([
    ['ingress', 'fw.v1.work.alpha'],
    ['ingress', 'fw.v1.in.other.r.1'],
    ['ingress', 'fw.v1.evt.worker.att.end'],
    ['ingress', '$JS.API.STREAM.DELETE.FW_EVT'],
    ['ingress', '$JS.API.STREAM.MSG.GET.FW_EVT'],
    ['router', 'fw.v1.job'],
    ['router', 'fw.v1.ctl.alpha.w.r.1'],
    ['router', 'fw.v1.rs.i'],
    ['router', 'fw.v1.blob.i.r'],
    ['router', '$KV.fw_access.settings'],
    ['worker-alpha', 'fw.v1.job'],
    ['worker-alpha', 'fw.v1.work.beta'],
    ['worker-alpha', 'fw.v1.ctl.alpha.w.r.1'],
    ['worker-alpha', '$KV.fw_config.catalog'],
    ['worker-alpha', '$KV.fw_quota.x'],
    ['worker-alpha', '$JS.API.STREAM.MSG.GET.KV_fw_access'],
    ['telemetry', 'fw.v1.job'],
    ['telemetry', 'fw.v1.in.i.r.1'],
    ['telemetry', '$KV.fw_config.catalog'],
    ['telemetry', '$JS.API.STREAM.PURGE.FW_EVT'],
    ['setup', 'fw.v1.job'],
    ['setup', '$KV.fw_config.catalog'],
  ])('%s may not publish %s', async (user, subject) => {
    const nc = await connectAs(user)
    const refused = nextRefusal(nc)
    nc.publish(subject, '{}')
    expect(await refused).toMatchObject({ operation: 'publish', subject })
    await nc.close()
  })

  test.each([
    ['ingress', '>'],
    ['ingress', 'fw.v1.>'],
    ['ingress', 'fw.v1.job'],
    ['ingress', 'fw.v1.work.alpha'],
    ['ingress', 'fw.v1.re.router.>'],
    ['ingress', '$KV.fw_access.>'],
    ['router', 'fw.v1.in.>'],
    ['router', 'fw.v1.job'],
    ['router', 'fw.v1.ctl.>'],
    ['router', 'fw.v1.evt.>'],
    ['worker-alpha', 'fw.v1.in.>'],
    ['worker-alpha', 'fw.v1.job'],
    ['worker-alpha', 'fw.v1.work.alpha'],
    ['worker-alpha', 'fw.v1.work.beta w'],
    ['worker-alpha', 'fw.v1.ctl.beta.>'],
    ['worker-alpha', 'fw.v1.try.beta w'],
    ['telemetry', 'fw.v1.ask.router router'],
    ['worker-beta-gamma', 'fw.v1.work.alpha w'],
    ['worker-beta-gamma', 'fw.v1.ctl.alpha.>'],
    ['telemetry', 'fw.v1.in.>'],
    ['telemetry', 'fw.v1.job'],
    ['telemetry', '$KV.>'],
    ['setup', 'fw.v1.>'],
  ])('%s may not listen to %s', async (user, pattern) => {
    const nc = await connectAs(user)
    const [subject = '', queue] = pattern.split(' ')
    const refused = Promise.withResolvers<string>()
    nc.subscribe(subject, { ...(queue && { queue }), callback: (error) => error && refused.resolve(error.message) })
    expect(await refused.promise).toMatch(/permissions violation/i)
    await nc.close()
  })

  test('nobody gets in without a seed, and the server takes the file', async () => {
    await expect(connect({ servers: url.slice('nats://'.length), reconnect: false })).rejects.toThrow(/authorization/i)
    expect(() => execFileSync(binary, ['-t', '-c', join(dir, 'nats/nats.conf')], { stdio: 'pipe' })).not.toThrow()
  })

  test('seeds are readable by their owner alone, are not printed, and survive another run', async () => {
    const before = await readFile(seed('ingress'), 'utf8')
    const again = freeway('nats-config', ...configuration(4222))
    expect(await readFile(seed('ingress'), 'utf8')).toBe(before)
    expect((await stat(seed('ingress'))).mode & 0o777).toBe(0o600)
    for (const text of [report, again, await readFile(join(dir, 'nats/nats.conf'), 'utf8')]) expect(text).not.toContain(before.trim())
    expect(report).toContain('NATS_NKEY_FILE')
    // Where whoever has made it may write.
    expect(await readFile(join(dir, 'nats/nats.conf'), 'utf8')).toContain(`store_dir: "${join(dir, 'nats/jetstream')}"`)
  })

  test('a service whose broker was not set up says what to do', async () => {
    const env = { ...process.env, NATS_URL: url, NATS_NKEY_FILE: seed('telemetry') }
    const refused = (() => {
      try {
        return execFileSync(process.execPath, [cli, 'nats-setup'], { env, encoding: 'utf8', cwd: dir, stdio: 'pipe' })
      } catch (error) {
        return String((error as { stderr: string }).stderr)
      }
    })()
    expect(refused).toMatch(/nats-setup.*setup/)
  })
})

async function nextRefusal(nc: NatsConnection): Promise<object | undefined> {
  for await (const status of nc.status()) if (status.type === Events.Error && status.permissionContext) return status.permissionContext
  return undefined
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}
