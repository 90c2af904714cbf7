// What it costs to know a hundred thousand keys: time of one decision, memory, and the time until a start has read them.
// `npm run bench:access -- --assert` fails where a figure is worse than it must be.

import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { AccountShard, Ban, StoredAccount } from '#contracts/account.ts'
import type { Backbone, KeyValue } from '#contracts/bus.ts'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import { accessKeys, buckets } from '#contracts/subjects.ts'
import { accountId, openAccounts } from '#services/accounts.ts'
import { hashOfKey } from '#services/client-key.ts'
import { openQuota } from '#services/quota/quota.ts'
import { openAccess } from './access.ts'
import { clientLimits } from './limits.ts'
import { watchPolicy } from './policy.ts'

/** A service knows no adapter of the bus; a benchmark has to choose one. */
interface BusAdapter {
  openMemoryBroker(options: { file: string }): Promise<{ connect(name: string): Pick<Backbone, 'keyValue'>; close(): Promise<void> }>
}

const KEYS = 100_000
const BANS = 1_000
const CALLERS = 1_000
const ROUNDS = 60
const MUST = { decisionUs: 15, memoryMb: 60, startMs: 2_000 }

const keyOf = (i: number) => `fai_bench${String(i).padStart(40, '0')}`
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function usedMb(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1024 / 1024
}

async function fill(kv: KeyValue): Promise<void> {
  const shards = new Map<string, AccountShard>()
  for (let i = 0; i < KEYS; i++) {
    const key_hash = hashOfKey(keyOf(i))
    const limits = { rpm_limit: 10_000, daily_limit: 1_000_000, max_concurrency: 1_000 }
    const account: StoredAccount = {
      id: accountId(key_hash),
      name: `client ${i}`,
      key_hash,
      created_ms: i,
      ...limits,
      roles: ['member'],
      owner: `member-${i}`,
    }
    const key = accessKeys.account(key_hash)
    const shard = shards.get(key) ?? { accounts: [] }
    shard.accounts.push(account)
    shards.set(key, shard)
  }
  await Promise.all([...shards].map(([key, shard]) => kv.put(key, encode(shard))))
  await Promise.all(Array.from({ length: BANS }, (_, i) => kv.put(accessKeys.ban(`b${i}`), encode(banNumber(i)))))
}

/** A third each: addresses, ranges of several lengths, signatures. */
function banNumber(i: number): Ban {
  const [a, b] = [(i >> 8) & 255, i & 255]
  const bits = 16 + (i % 13)
  const range = `${(((198 << 24) | (18 << 16) | (i << 4)) >>> (32 - bits)) * 2 ** (32 - bits)}`
  const dotted = [24, 16, 8, 0].map((shift) => Math.floor(Number(range) / 2 ** shift) % 256).join('.')
  const subject: Ban['subject'] =
    i % 3 === 0
      ? { kind: 'address', address: `203.0.${a}.${b}` }
      : i % 3 === 1
        ? { kind: 'range', range: `${dotted}/${bits}` }
        : { kind: 'signature', header: 'user-agent', pattern: `*bad-${i}/*` }
  return { id: `b${i}`, subject, created_ms: 0 }
}

/** As a request reaches the gate on Node. */
function requestOf(i: number): Request {
  const headers = {
    host: 'gateway.invalid',
    'user-agent': `OpenAI/JS 7.${i % 50}.0`,
    authorization: `Bearer ${keyOf((i * 7919) % KEYS)}`,
    'content-type': 'application/json',
    accept: 'application/json',
    'x-stainless-lang': 'js',
  }
  const rawHeaders = Object.entries(headers).flat()
  const req = { rawHeaders, socket: { remoteAddress: `10.${i % 200}.${(i >> 3) % 200}.7` } }
  return {
    url: 'http://gateway.invalid/v1/chat/completions',
    headers: new Headers(headers),
    runtime: { node: { req } },
  } as unknown as Request
}

/** Of this thread: what others do on the machine does not count. */
function cpuUs(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

const middle = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN

async function main(): Promise<boolean> {
  const dir = await mkdtemp(join(tmpdir(), 'freeway-bench-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(dir, { recursive: true }))
  const { openMemoryBroker } = (await import(new URL('../../bus/memory.ts', import.meta.url).href)) as BusAdapter
  const file = join(dir, 'freeway.db')
  const first = await openMemoryBroker({ file })
  await fill(await first.connect('ingress').keyValue(buckets.access))
  await first.close()

  const emptyMb = usedMb()
  const startedUs = cpuUs()
  const broker = await openMemoryBroker({ file })
  stack.defer(() => broker.close())
  const backbone = broker.connect('ingress')
  const kv = await backbone.keyValue(buckets.access)
  const accounts = await openAccounts(kv, [])
  const policy = await watchPolicy(kv, await backbone.keyValue(buckets.config))
  const startMs = (cpuUs() - startedUs) / 1000
  const memoryMb = usedMb() - emptyMb
  if (accounts.size !== KEYS || policy.bans.size !== BANS) throw new Error(`read ${accounts.size} keys and ${policy.bans.size} bans`)

  const quota = await openQuota({ keyValue: await backbone.keyValue(buckets.quota), scope: 'client', instance: 'bench', here: true })
  stack.defer(() => quota.close())
  const catalog = catalogSchema.parse({
    providers: [{ name: 'a', base_url: 'http://a.invalid/v1', configured: true, models: [{ id: 'm' }] }],
    aliases: [],
  })
  const access = openAccess({
    accounts,
    policy,
    limits: clientLimits(quota, 60_000),
    adminToken: 'Zk3vQ9xR7mW2pL5tN8bH',
    siteKey: undefined,
    requireAuth: false,
    trustedProxies: [],
    catalog: () => catalog,
  })

  const decisions: number[] = []
  const headers: number[] = []
  let slowly = 0
  for (let round = 0; round < ROUNDS; round++) {
    const requests = Array.from({ length: CALLERS }, (_, i) => requestOf(i))
    const admitted = []
    const at = cpuUs()
    for (const request of requests) {
      access.identify(request)
      admitted.push(access.admit(request, { model: 'a/m', kind: 'chat' }))
    }
    const decidedAt = cpuUs()
    for (const request of requests) access.headers(request)
    const saidAt = cpuUs()
    decisions.push((decidedAt - at) / CALLERS)
    headers.push((saidAt - decidedAt) / CALLERS)
    for (const each of admitted) {
      if (each instanceof Promise) slowly++
      ;(await each).finished('ok', true)
    }
  }

  const rows: [string, number, string, number | undefined][] = [
    ['identify and admit, p50', middle(decisions.slice(10)), 'µs', MUST.decisionUs],
    ['limit headers of an answer, p50', middle(headers.slice(10)), 'µs', undefined],
    ['asked the bucket', (100 * slowly) / (ROUNDS * CALLERS), '% of requests', undefined],
    [`memory of ${KEYS} keys and ${BANS} bans`, memoryMb, 'MB', MUST.memoryMb],
    ['start until all are read', startMs, 'ms', MUST.startMs],
  ]
  const text = rows.map(
    ([name, value, unit, must]) =>
      `${name.padEnd(44)}${value.toFixed(1).padStart(9)} ${unit}${must === undefined ? '' : `  (at most ${must})`}\n`,
  )
  process.stdout.write(`${cpus()[0]?.model ?? 'unknown CPU'}, ${process.version}\n\n${text.join('')}`)
  return rows.every(([, value, , must]) => must === undefined || value <= must)
}

const good = await main()
if (!good && process.argv.includes('--assert')) process.exitCode = 1
