// Keeps the broker's users in one Secret: what is there stays, users that are missing are made, and what each may do is written anew.
// Runs in a pod that may read and write that Secret; its arguments are those of `freeway nats-config`.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

const ACCOUNT = process.env.ACCOUNT_DIR ?? '/var/run/secrets/kubernetes.io/serviceaccount'
const API = process.env.KUBERNETES_API ?? 'https://kubernetes.default.svc'
const TIMEOUT_MS = 20_000

const name = process.env.SECRET_NAME
const token = readFileSync(join(ACCOUNT, 'token'), 'utf8').trim()
const namespace = readFileSync(join(ACCOUNT, 'namespace'), 'utf8').trim()
const collection = `${API}/api/v1/namespaces/${namespace}/secrets`

const dir = mkdtempSync(join(tmpdir(), 'broker-'))
mkdirSync(join(dir, 'seeds'), { mode: 0o700 })
const known = await call('GET', `${collection}/${name}`)
for (const [key, value] of Object.entries(known?.data ?? {})) {
  if (key.endsWith('.nk')) writeFileSync(join(dir, 'seeds', key), Buffer.from(value, 'base64'), { mode: 0o600 })
}

execFileSync(process.execPath, ['services/freeway.ts', 'nats-config', '--dir', dir, ...process.argv.slice(2)], { stdio: 'ignore' })

const data = { 'users.conf': encoded(join(dir, 'users.conf')) }
for (const file of readdirSync(join(dir, 'seeds'))) data[file] = encoded(join(dir, 'seeds', file))
const metadata = known?.metadata ?? { name, annotations: { 'helm.sh/resource-policy': 'keep' } }
const secret = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata, data: { ...known?.data, ...data } }
await (known ? call('PUT', `${collection}/${name}`, secret) : call('POST', collection, secret))
process.stdout.write(`${name}: ${Object.keys(data).join(', ')}\n`)

function encoded(file) {
  return readFileSync(file).toString('base64')
}

/** Undefined if there is no such thing. A conflict is an error: the Job is tried again, and reads what the other has written. */
async function call(method, url, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await fetch(url, { method, headers, body: body && JSON.stringify(body), signal: AbortSignal.timeout(TIMEOUT_MS) })
  if (method === 'GET' && answer.status === 404) return undefined
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${(await answer.text()).slice(0, 300)}`)
  return await answer.json()
}
