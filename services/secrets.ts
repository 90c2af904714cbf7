// Secrets of this deployment: set by the operator, or generated at the first start and kept beside the data, readable by its owner alone.

import { randomBytes } from 'node:crypto'
import { chmod, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Settings } from './settings.ts'
import { SettingsError } from './settings-error.ts'
import { createVault, type Vault } from './vault.ts'

export interface AdminToken {
  token: string
  /** True exactly once: for the start that generated it and should show it. */
  created: boolean
  /** Where it is kept; undefined if it came from the environment. */
  path: string | undefined
}

type SecretSettings = Pick<Settings, 'dataDir' | 'secretOf'>

/** Starts at the same time agree on one token. Throws SettingsError for a token that could be guessed. */
export function adminToken(settings: SecretSettings): Promise<AdminToken> {
  return secretFrom(settings, 'FREEWAY_ADMIN_TOKEN', 'admin-token')
}

/**
 * Seals provider keys, and opens them. All processes of a gateway need the same FREEWAY_SECRET; those that share a data directory
 * share the generated one. What was sealed with FREEWAY_SECRET_OLD can still be opened. Throws SettingsError as above.
 */
export async function providerVault(settings: SecretSettings): Promise<Vault> {
  const { token } = await secretFrom(settings, 'FREEWAY_SECRET', 'secret')
  const former = settings.secretOf('FREEWAY_SECRET_OLD')?.trim()
  return createVault(token, former ? [former] : [])
}

async function secretFrom(settings: SecretSettings, variable: 'FREEWAY_ADMIN_TOKEN' | 'FREEWAY_SECRET', file: string): Promise<AdminToken> {
  const own = settings.secretOf(variable)
  if (own !== undefined) return { token: checked(own.trim(), variable), created: false, path: undefined }

  const path = join(settings.dataDir, file)
  await mkdir(settings.dataDir, { recursive: true, mode: 0o700 })
  const created = (await stored(path)) === undefined && (await create(path))
  return { token: checked((await stored(path)) ?? '', path), created, path }
}

const MIN_LENGTH = 16
const MIN_DIFFERENT_CHARACTERS = 6
/** Placeholders of examples and the defaults that other gateways are attacked with. */
const wellKnown =
  /change.?me|your.?(admin|secret|token|key)|example|placeholder|password|123456|qwerty|^sk-1234|admin.?token|secret.?token/i

function checked(token: string, source: string): string {
  const advice = 'Use at least 16 random characters, e.g. from "openssl rand -base64 32", or leave it unset to have one generated.'
  if (token === '') throw new SettingsError(`${source}: is empty. ${advice}`)
  if (token.length < MIN_LENGTH) throw new SettingsError(`${source}: is shorter than ${MIN_LENGTH} characters. ${advice}`)
  if (new Set(token).size < MIN_DIFFERENT_CHARACTERS || wellKnown.test(token))
    throw new SettingsError(`${source}: can be guessed. ${advice}`)
  // It travels in an HTTP header.
  if (!/^[\x21-\x7e]+$/.test(token)) throw new SettingsError(`${source}: holds a blank or a character outside ASCII. ${advice}`)
  return token
}

async function stored(path: string): Promise<string | undefined> {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) await chmod(path, 0o600)
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** False if another start was faster. A link appears whole or not at all, and never over an existing file. */
async function create(path: string): Promise<boolean> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  try {
    await using file = await open(draft, 'wx', 0o600)
    await file.writeFile(`${randomBytes(32).toString('base64url')}\n`)
    await file.sync()
    await link(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(draft, { force: true })
  }
}
