// The file `.env` of the working directory: variables for whoever cannot set any. The environment wins over it.

import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { SettingsError } from './settings-error.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Both together. Throws SettingsError if the file is there and cannot be read. */
export function withDotEnv(env: Environment, cwd: string): Environment {
  const path = resolve(cwd, '.env')
  let text = ''
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new SettingsError(`${path}: cannot be read (${(error as Error).message})`)
  }
  // Without a prototype, for a key variable may have any name.
  return Object.assign(Object.create(null), parseEnv(text.replace(/^\uFEFF/, '')), defined(env))
}

/** What is no setting of ours, but read by OpenTelemetry's SDK, or where a process is started. No keys: those are handed on to nobody. */
const FOR_OTHERS = /^(OTEL_\w+|NATS_SERVER_BIN|JAEGER_URL|FREEWAY_DEMO_URL)$/

/** Puts those of `.env` into the process' own environment, where they are looked for. Throws as above. */
export function shareDotEnv(env: Record<string, string | undefined>, cwd: string): void {
  for (const [name, value] of Object.entries(withDotEnv({}, cwd))) if (FOR_OTHERS.test(name)) env[name] ??= value
}

function defined(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined))
}
