// `freeway key`: issues, lists and revokes the keys of clients.

import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { Backbone } from '#contracts/bus.ts'
import { type KeyRow, type KeyStore, openKeyStore } from './key-store.ts'
import { loadSettings, type Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'
import { parsed } from './usage.ts'

const USAGE = `Usage: freeway key <command>

  create <name>          issue a key, shown once
      --rpm 60           requests per minute
      --daily N          successes per UTC day
      --concurrency N    parallel requests
      --tier T           access tier, e.g. member
      --owner O          whom it belongs to
  list                   all keys, by the digests that are kept of them
  revoke <which>         by name, id, or the beginning of its key_hash
`

const options = {
  rpm: { type: 'string', default: '60' },
  daily: { type: 'string' },
  concurrency: { type: 'string' },
  tier: { type: 'string' },
  owner: { type: 'string' },
} as const

interface Owner {
  settings: Settings
  instance: string
  stack: AsyncDisposableStack
}
/** Opens the bus of a process that holds every service. */
type OpenBackbones = (owner: Owner) => Promise<{ connect(role: 'ingress'): Promise<Backbone> }>

/** Throws SettingsError with words for the operator. */
export async function keyCommand(args: string[], openBackbones: OpenBackbones): Promise<void> {
  const { values, positionals } = read(args)
  const [command, which, ...rest] = positionals
  const act = command === undefined || !Object.hasOwn(commands, command) || rest.length > 0 ? undefined : commands[command]
  if (!act) throw new SettingsError(USAGE)
  const settings = loadSettings(process.env, process.cwd())
  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 })
  await using stack = new AsyncDisposableStack()
  const instance = randomBytes(12).toString('base64url')
  const connect = async () => (await openBackbones({ settings, instance, stack })).connect('ingress')
  process.stdout.write(await act(await openKeyStore(settings, connect, stack), which, values))
}

type Values = ReturnType<typeof read>['values']

const commands: Record<string, (store: KeyStore, which: string | undefined, values: Values) => Promise<string>> = {
  async create(store, name, values) {
    if (!name) throw new SettingsError('key create: say what the key is for, e.g. "freeway key create my-app"')
    const { key, row } = await store.create({
      name,
      rpm_limit: number('--rpm', values.rpm),
      ...(values.daily === undefined ? {} : { daily_limit: number('--daily', values.daily) }),
      ...(values.concurrency === undefined ? {} : { max_concurrency: number('--concurrency', values.concurrency) }),
      ...(values.tier === undefined ? {} : { tier: values.tier }),
      ...(values.owner === undefined ? {} : { owner: values.owner }),
    })
    return `${key}\n\nThe key of "${row.name}", shown only now. Clients send it as "Authorization: Bearer <key>".\nIn ${store.place}; its key_hash is ${row.key_hash}.\n`
  },
  async list(store) {
    const rows = await store.list()
    if (rows.length === 0) return `No keys in ${store.place}. "freeway key create <name>" issues one.\n`
    return table([['NAME', 'ID', 'KEY_HASH', 'RPM', 'DAILY', 'PARALLEL', 'TIERS', 'STATE'], ...rows.map(cells)])
  },
  async revoke(store, which) {
    if (!which) throw new SettingsError('key revoke: say which, by name, id, or the beginning of its key_hash')
    const row = chosen(await store.list(), which)
    await store.revoke(row)
    return `Revoked "${row.name}" (${row.id}) in ${store.place}.\n`
  },
}

function read(args: string[]) {
  return parsed('key', () => parseArgs({ args, options, allowPositionals: true }))
}

function number(option: string, text: string): number {
  if (/^[1-9]\d{0,9}$/.test(text)) return Number(text)
  throw new SettingsError(`${option}: expected a positive whole number`)
}

const MIN_HASH_DIGITS = 8

function chosen(rows: KeyRow[], which: string): KeyRow {
  const hash = which.replace(/^sha256:/, '')
  const found = rows.filter(
    ({ id, name, key_hash }) => id === which || name === which || (hash.length >= MIN_HASH_DIGITS && key_hash.startsWith(hash)),
  )
  const [row] = found
  if (!row) throw new SettingsError(`key revoke: there is no key "${which}"; "freeway key list" shows all`)
  if (found.length === 1) return row
  throw new SettingsError(`key revoke: "${which}" fits ${found.length} keys, name one by its id: ${found.map(({ id }) => id).join(', ')}`)
}

function cells({ name, id, key_hash, rpm_limit, daily_limit, max_concurrency, roles = [], enabled, paused }: KeyRow): string[] {
  const limit = (value: number | null | undefined) => String(value ?? '-')
  const state = enabled === false ? 'disabled' : paused ? 'paused' : 'active'
  // A name is an operator's text, and a terminal obeys control characters.
  const shown = name.replaceAll(/\p{C}/gu, '?')
  return [
    shown,
    id,
    `${key_hash.slice(0, 12)}…`,
    limit(rpm_limit),
    limit(daily_limit),
    limit(max_concurrency),
    roles.join(',') || '-',
    state,
  ]
}

function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}
