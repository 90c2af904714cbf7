import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { natsBinaries } from '#test/support/nats.ts'
import { root } from '#test/support/sources.ts'
import { example, find, parseObjects } from './render.ts'
import { hasValidators, kubectl, kustomize, run } from './tools.ts'

/** The chart asks for `sync_interval`, which servers know from 2.10 on. */
const server = natsBinaries().find(({ name }) => !/v2\.[0-9]\./.test(name))?.binary

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'freeway-deploy-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

function makeUsers(...options: string[]): string {
  execFileSync(process.execPath, [join(root, 'services/freeway.ts'), 'nats-config', '--dir', join(dir, 'made'), ...options])
  return join(dir, 'made/users.conf')
}

describe.skipIf(!hasValidators || !server)('nats-server takes the configuration', () => {
  it.each<[string, () => unknown]>([
    ['of the chart, one server', () => find(example('default'), 'ConfigMap', 'fw-freeway-nats').data['nats.conf']],
    ['of the chart, a cluster', () => find(example('prod.yaml'), 'ConfigMap', 'fw-freeway-nats').data['nats.conf']],
    ...['base', 'overlays/dev', 'overlays/prod'].map((folder): [string, () => unknown] => [
      `of ${folder}`,
      () => find(parseObjects(kubectl('kustomize', join(kustomize, folder))), 'ConfigMap', 'freeway-nats').data['nats.conf'],
    ]),
  ])('%s', (_, configOf) => {
    const config = configOf() as string
    expect(config).toContain('include "users/users.conf"')
    expect(config).toContain('tls { cert_file: ')
    mkdirSync(join(dir, 'users'))
    copyFileSync(makeUsers('--worker', 'groq', '--worker', '*'), join(dir, 'users/users.conf'))
    const file = join(dir, 'nats.conf')
    const { data } = find(example('default'), 'Secret', 'fw-freeway-nats-tls')
    for (const name of ['ca.crt', 'tls.crt', 'tls.key']) writeFileSync(join(dir, name), atob(data[name]))
    writeFileSync(file, config.replaceAll('/data/jetstream', join(dir, 'store')).replaceAll('/etc/nats/tls', dir))
    const check = () => run(server as string, ['-t', '-c', file], { POD_NAME: 'fw-freeway-nats-0' })
    expect(check).not.toThrow()
    writeFileSync(join(dir, 'users/users.conf'), 'accounts { FW { jetstreams: enabled } }')
    expect(check).toThrow('jetstreams')
  })
})

describe('the Job that makes the users of the broker', () => {
  const made = ['ingress.nk', 'router.nk', 'setup.nk', 'system.nk', 'telemetry.nk', 'users.conf', 'worker-groq.nk', 'worker.nk']

  it('makes them once, adds those of new providers, and leaves every seed as it is', async () => {
    await using cluster = await openCluster()
    await runJob(cluster.url, '--worker', 'groq', '--worker', '*')
    expect(cluster.calls).toEqual(['GET /api/v1/namespaces/ai/secrets/fw-broker', 'POST /api/v1/namespaces/ai/secrets'])
    const first = cluster.secret()
    expect(first.metadata).toEqual({ name: 'fw-broker', annotations: { 'helm.sh/resource-policy': 'keep' } })
    expect(Object.keys(first.data).sort()).toEqual(made)
    expect(atob(first.data['worker.nk'] as string)).toMatch(/^SU[A-Z2-7]{56}\n$/)
    expect(atob(first.data['users.conf'] as string)).toContain('fw.v1.work.groq w')

    await runJob(cluster.url, '--worker', 'groq', '--worker', 'gemini', '--worker', '*')
    expect(cluster.calls.at(-1)).toBe('PUT /api/v1/namespaces/ai/secrets/fw-broker')
    const second = cluster.secret()
    expect(Object.keys(second.data).sort()).toEqual([...made, 'worker-gemini.nk'].sort())
    for (const name of made) if (name !== 'users.conf') expect(second.data[name]).toBe(first.data[name])
    expect(atob(second.data['users.conf'] as string)).toContain('fw.v1.work.gemini w')
  })

  it('fails when the cluster refuses, and says why', async () => {
    await using cluster = await openCluster(403)
    await expect(runJob(cluster.url)).rejects.toThrow('403 forbidden')
  })

  async function runJob(api: string, ...args: string[]): Promise<void> {
    const account = join(dir, 'account')
    mkdirSync(account, { recursive: true })
    writeFileSync(join(account, 'token'), 'a-token\n')
    writeFileSync(join(account, 'namespace'), 'ai')
    const script = join(root, 'deploy/helm/freeway/files/broker-users.mjs')
    const env = { ...process.env, ACCOUNT_DIR: account, KUBERNETES_API: api, SECRET_NAME: 'fw-broker', TMPDIR: dir }
    const job = spawn(process.execPath, [script, ...args], { cwd: root, env, stdio: ['ignore', 'ignore', 'pipe'] })
    const [said, [code]] = await Promise.all([text(job.stderr), once(job, 'exit')])
    if (code !== 0) throw new Error(said)
  }
})

it('the setup begins when every server of the broker is healthy', async () => {
  const answers = [503, 200, 503, 503, 200]
  const asked: string[] = []
  const monitor = createServer((request, response) => {
    asked.push(`${request.url} ${answers[0]}`)
    response.writeHead(answers.shift() ?? 200).end('{"status":"unavailable"}')
  })
  await once(monitor.listen(0, '127.0.0.1'), 'listening')
  try {
    const url = `http://127.0.0.1:${(monitor.address() as AddressInfo).port}`
    const script = readFileSync(join(root, 'deploy/helm/freeway/files/await-broker.mjs'), 'utf8')
    const job = spawn(process.execPath, ['--input-type=module', '--eval', script, `${url}/a`, `${url}/b`], { stdio: 'ignore' })
    expect((await once(job, 'exit'))[0]).toBe(0)
    expect(asked).toEqual(['/a/healthz 503', '/a/healthz 200', '/b/healthz 503', '/b/healthz 503', '/b/healthz 200'])
  } finally {
    monitor.closeAllConnections()
    monitor.close()
  }
})

interface Secret {
  metadata: object
  data: Record<string, string>
}

/** So much of a cluster as the Job sees: one Secret, which it may read, make and replace. */
async function openCluster(refuseWith?: number) {
  let secret: Secret | undefined
  const calls: string[] = []
  const listener = createServer(async (request, response) => {
    calls.push(`${request.method} ${request.url}`)
    const body = await text(request)
    const known = request.headers.authorization === 'Bearer a-token' && refuseWith === undefined
    if (!known) return void response.writeHead(refuseWith ?? 401).end('forbidden')
    if (request.method !== 'GET') secret = JSON.parse(body)
    response.writeHead(secret ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(secret ?? {}))
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    calls,
    secret: () => secret as Secret,
    async [Symbol.asyncDispose]() {
      listener.closeAllConnections()
      await new Promise((resolve) => listener.close(resolve))
    },
  }
}
