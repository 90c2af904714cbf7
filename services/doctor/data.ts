// The data directory: whether it can be written, who else can read it, how much room is left, and the secrets in it.

import { constants } from 'node:fs'
import { access, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { adminToken, providerVault } from '../secrets.ts'
import type { Settings } from '../settings.ts'
import { SettingsError } from '../settings-error.ts'
import { type Finding, fault, ok, warn } from './finding.ts'

const LITTLE_ROOM_BYTES = 500 * 1024 * 1024
const NO_ROOM_BYTES = 50 * 1024 * 1024
const MB = 1024 * 1024

export async function checkData(settings: Pick<Settings, 'dataDir' | 'secretOf'>): Promise<Finding[]> {
  const { dataDir } = settings
  return [
    ...(await checkDirectory(dataDir)),
    ...(await Promise.all(['admin-token', 'secret'].map((name) => checkSecretFile(join(dataDir, name))))).flat(),
    ...(await checkOwnSecrets(settings)),
  ]
}

async function checkDirectory(dir: string): Promise<Finding[]> {
  const found = await existing(dir)
  if (found === undefined) return [await checkParent(dir)]
  if (!found.isDirectory()) return [fault('data', `${dir} is not a directory`, 'remove it, or set FREEWAY_DATA to another place')]
  if (!(await writable(dir))) return [unwritable(dir)]
  return [
    open(found.mode)
      ? warn('data', `${dir} can be read by others on this machine`, `chmod 700 ${dir}`)
      : ok('data', `${dir} can be written`),
    await checkRoom(dir),
  ]
}

async function checkParent(dir: string): Promise<Finding> {
  let above = dirname(dir)
  while ((await existing(above)) === undefined && above !== dirname(above)) above = dirname(above)
  return (await writable(above)) ? ok('data', `${dir} will be made at the first start`) : unwritable(above)
}

function unwritable(dir: string): Finding {
  const who = process.getuid?.()
  const fix = who === undefined ? 'let this user write there' : `chown ${who} ${dir}`
  return fault('data', `${dir} cannot be written by this user`, `${fix}, or set FREEWAY_DATA to a directory that can be written`)
}

async function checkRoom(dir: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(dir)
  const bytes = bavail * bsize
  const says = `${Math.floor(bytes / MB)} MB are free on its disk`
  if (bytes < NO_ROOM_BYTES) return fault('data', says, 'free some room: events and keys could not be stored')
  return bytes < LITTLE_ROOM_BYTES ? warn('data', says, 'free some room before it runs out') : ok('data', says)
}

async function checkSecretFile(path: string): Promise<Finding[]> {
  const found = await existing(path)
  if (found === undefined) return []
  if (open(found.mode)) return [fault('secret', `${path} can be read by others on this machine`, `chmod 600 ${path}`)]
  return [
    (await readable(path))
      ? ok('secret', `${path} is kept to its owner`)
      : fault('secret', `${path} cannot be read by this user`, `let this user own it: chown ${process.getuid?.() ?? 'USER'} ${path}`),
  ]
}

/** Those that are set; the others are made at the first start. */
async function checkOwnSecrets(settings: Pick<Settings, 'dataDir' | 'secretOf'>): Promise<Finding[]> {
  const checks = { FREEWAY_ADMIN_TOKEN: adminToken, FREEWAY_SECRET: providerVault } as const
  const findings: Finding[] = []
  for (const [variable, check] of Object.entries(checks) as [
    keyof typeof checks,
    (settings: Pick<Settings, 'dataDir' | 'secretOf'>) => Promise<unknown>,
  ][]) {
    if (settings.secretOf(variable) === undefined) continue
    try {
      await check(settings)
      findings.push(ok('secret', `${variable} is set`))
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
      findings.push(fault('secret', error.message.replace(':', ''), 'openssl rand -base64 32'))
    }
  }
  return findings
}

/** Anything for group or others. Windows has no such bits. */
function open(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}

async function existing(path: string) {
  try {
    return await stat(path)
  } catch {
    return undefined // not there, or out of reach, which is told of the directory above
  }
}

const writable = (path: string) => allowed(path, constants.W_OK | constants.X_OK)
const readable = (path: string) => allowed(path, constants.R_OK)

function allowed(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  )
}
