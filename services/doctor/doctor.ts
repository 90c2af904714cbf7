// `freeway doctor`: looks at everything that keeps a gateway from serving, and says of each fault what mends it. It changes nothing,
// and calls each provider once for each key, unless it is told to leave them alone.

import { resolve } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { readConfigFile } from '../config-file.ts'
import { redactText, registerSecret } from '../redact.ts'
import { loadSettings, type Settings } from '../settings.ts'
import { SettingsError } from '../settings-error.ts'
import { parsed } from '../usage.ts'
import { checkBroker } from './broker.ts'
import { checkCatalog } from './catalog.ts'
import { checkData } from './data.ts'
import { type Finding, fault, lineOf, ok, summaryOf } from './finding.ts'
import { checkNetwork } from './network.ts'
import { checkPorts } from './ports.ts'
import { checkProviders } from './providers.ts'
import { checkRuntime } from './runtime.ts'
import { checkStore } from './store.ts'

export interface DoctorOptions {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  write(text: string): void
}

/** Prints what it finds as it finds it. Throws SettingsError for a wrong option, and if there is any fault. */
export async function doctorCommand(args: string[], { env, cwd, write }: DoctorOptions): Promise<void> {
  const { offline } = parsed('doctor', () => parseArgs({ args, options: { offline: { type: 'boolean', default: false } } }).values)
  const all: Finding[] = []
  for (const findings of examine({ env, cwd, offline })) {
    for (const finding of await findings) {
      all.push(finding)
      write(`${redactText(lineOf(finding))}\n`)
    }
  }
  const summary = summaryOf(all)
  write(`\n${summary}\n`)
  if (all.some(({ level }) => level === 'fault')) throw new SettingsError(`doctor: ${summary}`)
}

interface Patient {
  env: DoctorOptions['env']
  cwd: string
  offline: boolean
}

/** In the order in which they are told; what takes long has begun before. */
function examine({ env, cwd, offline }: Patient): Promise<Finding[]>[] {
  const runtime = checkRuntime(process.versions)
  const settings = settingsOf(env, cwd)
  if (Array.isArray(settings)) return [Promise.resolve([...runtime, ...settings])]
  for (const variable of ['FREEWAY_ADMIN_TOKEN', 'FREEWAY_SECRET', 'FREEWAY_SECRET_OLD', 'SITE_KEY', 'NATS_NKEY_SEED'] as const) {
    registerSecret(settings.secretOf(variable) ?? '')
  }
  const catalog = checkCatalog(settings)
  const online = offline
    ? []
    : [catalog.then(({ providers }) => checkNetwork(providers, env)), catalog.then((known) => checkProviders(settings, known))]
  return [
    Promise.resolve([...runtime, configured(settings)]),
    catalog.then(({ findings }) => findings),
    checkData(settings),
    checkPorts(settings),
    checkBroker(settings),
    checkStore(settings),
    ...online,
  ]
}

/** Every fault of the environment and of freeway.json, each with its place. */
function settingsOf(env: DoctorOptions['env'], cwd: string): Settings | Finding[] {
  const faults = new Set<string>()
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
      for (const line of error.message.split('\n')) faults.add(line)
      return undefined
    }
  }
  const settings = attempt(() => loadSettings(env, cwd))
  if (settings) return settings
  // What is wrong with the environment may have hidden what is wrong with the file.
  attempt(() => readConfigFile(resolve(cwd, env.FREEWAY_CONFIG?.trim() || 'freeway.json'), false))
  return [...faults].map((line) => fault('config', line, 'correct it there; docs/configuration.md describes every setting'))
}

function configured({ providers, clients, aliases, strategies }: Settings): Finding {
  const counts = Object.entries({ providers, clients, aliases, strategies }).map(([word, value]) => `${Object.keys(value).length} ${word}`)
  return ok('config', `environment, .env and freeway.json can be read: ${counts.join(', ')}`)
}
