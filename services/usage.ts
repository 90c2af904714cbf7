// What the command line says of itself, of a wrong option and of a fault.

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
      --dir ./nats  --listen 0.0.0.0:4222  --store /data/jetstream  --worker groq,gemini  --tls-cert FILE --tls-key FILE
      --tls-ca FILE  ask services for certificates of this authority (NATS_CERT_FILE, NATS_KEY_FILE)
      --cluster NAME --server-name NAME --route nats://other:6222
  nats-setup             create what the services need on such a broker, as its user "setup"
      --replicas 3  copies of it in a cluster; one that has no room for them is refused

Settings come from the environment, .env and freeway.json; see docs/configuration.md.
`

export function count(option: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (!Number.isInteger(value) || value < 0 || value > 65_535) throw new SettingsError(`${option}: expected a whole number`)
  return value
}

export function explain(error: unknown): string {
  const { code, message, address, port } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  if (code === 'EADDRINUSE')
    return `port ${port ?? ''} on ${address ?? 'this host'} is in use: stop the other program or set PORT to a free one`
  if (code === 'EACCES' && port !== undefined) return `port ${port} needs privileges: set PORT to one above 1023`
  if (error instanceof SettingsError) return message
  return error instanceof Error ? (error.stack ?? message) : String(error)
}
