// What the command line says of itself, of a wrong option and of a fault.

import { Disconnected } from '#contracts/bus.ts'
import { providerName } from '#contracts/catalog.ts'
import { SettingsError } from './settings-error.ts'

export const USAGE = `Usage: freeway <command>

  start                  everything in one process (what "npm start" runs)
  cluster                nats-server and every service as its own process on this machine
      --ingress 2 --router 2 --workers 3
  ingress | router | telemetry
  worker [provider...]   serve these providers; without a name, all whose key is set
  simulate [--port 9001] an upstream that answers and misbehaves on command
  trace [id]             one request's waterfall: of a demonstration, or with JAEGER_URL of the gateway that runs here; or of the trace,
                         request or error with this id
  health                 exit code 0 if the process with these settings is ready, for containers without a shell
  doctor [--offline]     look for what is wrong with settings, ports, broker, store, network and provider keys, and say what mends it
  key create <name>      issue a client's key, shown once; key list, key revoke <which>
      --rpm 60  --daily N  --concurrency N  --tier T  --owner O
  discord register       register /signup, /checkin and /resetkey at Discord
  nats-config            write a nats-server's configuration in which every service has a user of its own
      --dir ./nats  --listen 0.0.0.0:4222  --store ./nats/jetstream  --worker groq,gemini  --tls-cert FILE --tls-key FILE
      --tls-ca FILE  ask services for certificates of this authority (NATS_CERT_FILE, NATS_KEY_FILE)
      --cluster NAME --server-name NAME --route nats://other:6222 --cluster-listen 0.0.0.0:6222
      --monitor 127.0.0.1:8222  pages about the server itself
      --server-version 2.12.5   of the server that will read it
  nats-setup             create what the services need on such a broker, as its user "setup"
      --replicas 3  copies of it in a cluster; one that has no room for them is refused
  --help, --version

"freeway" is "node services/launch.mjs" where it was not installed as a command.
Settings come from the environment, .env and freeway.json; see docs/configuration.md.
`

/** Throws SettingsError, with the words of the parser, if `parse` throws. */
export function parsed<Values>(command: string, parse: () => Values): Values {
  try {
    return parse()
  } catch (error) {
    throw new SettingsError(`${command}: ${(error as Error).message}`)
  }
}

/** What nobody would look at is a mistake: `start --port 4000` must not start at another port. Throws SettingsError. */
export function takesNothing(command: string, [first]: readonly string[]): void {
  if (first === undefined) return
  throw new SettingsError(`${command}: takes nothing behind it, but got "${first}"; settings are variables, e.g. PORT=4000 npm start`)
}

/** Names of providers. Throws SettingsError for what can be none. */
export function providersIn(args: readonly string[]): string[] {
  return args.map((arg) => {
    if (providerName.safeParse(arg).success) return arg
    throw new SettingsError(`worker: "${arg}" is no name of a provider; "freeway worker groq gemini" serves these two`)
  })
}

const MAX_PORT = 65_535

export function count(option: string, text: string | undefined, otherwise: number, least = 0): number {
  const value = text === undefined ? otherwise : /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= MAX_PORT) return value
  throw new SettingsError(`${option}: expected a whole number from ${least}`)
}

/** Of a service that listens: what it was told by. */
interface Variables {
  host: string
  port: string
}

interface SystemError extends NodeJS.ErrnoException {
  address?: string
  hostname?: string
  port?: number
}

const NO_ADDRESS = ['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN']
/** What is wrong with a file or folder → what to do. */
const REMEDIES: Readonly<Record<string, string>> = {
  EACCES: 'let this user write there',
  EPERM: 'let this user write there',
  EROFS: 'let this user write there',
  ENOSPC: 'free some room on its disk',
  ENOTDIR: 'take away what is in its place',
  EISDIR: 'take away what is in its place',
  EEXIST: 'take away what is in its place',
}
const LOOK = '"freeway doctor" looks closer'
const ELSEWHERE = `, or set FREEWAY_DATA to another directory; ${LOOK}`

/** A line that says what to do; the stack of a fault of our own. */
export function explain(error: unknown, { host, port }: Variables = { host: 'HOST', port: 'PORT' }): string {
  const { code = '', message, address, hostname, port: wanted, path } = error as SystemError
  if (error instanceof SettingsError) return message
  if (code === 'EADDRINUSE')
    return `port ${wanted ?? ''} on ${address ?? 'this host'} is in use: stop the other program or set ${port} to a free one`
  if (code === 'EACCES' && wanted !== undefined) return `port ${wanted} needs privileges: set ${port} to one above 1023`
  if (NO_ADDRESS.includes(code))
    return `${host}: ${address ?? hostname} is no address of this machine (${code}): set it to 127.0.0.1, or to 0.0.0.0 for all of them`
  if (path !== undefined && Object.hasOwn(REMEDIES, code)) return `${path} cannot be used (${code}): ${REMEDIES[code]}${ELSEWHERE}`
  if (code === 'ERR_SQLITE_ERROR') return `a database in the data directory cannot be used (${message}): mend it${ELSEWHERE}`
  if (error instanceof Disconnected) return `${message}; start it, or correct NATS_URL; ${LOOK}`
  return error instanceof Error ? (error.stack ?? message) : String(error)
}
