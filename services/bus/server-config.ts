// Pure. The configuration file of a nats-server, for a process of our own on loopback and for servers that operators run.
// Source of the values: how long a dead peer may hold a connection, and how much a slow one may hold back.

import type { Permissions } from '#contracts/permissions.ts'

export interface ServerConfig {
  host: string
  port: number
  storeDir: string
  /** Server's version: before 2.10 it refuses the whole file because of `sync_interval`. */
  version: string
  logFile?: string
  /** `host:port` of the monitor's HTTP pages. */
  monitor?: string
  /** Files as the server sees them. With `ca`, clients must show a certificate signed by it. */
  tls?: { cert: string; key: string; ca: string | undefined }
  cluster?: { name: string; server: string; listen: string; routes: readonly string[] }
  /** Without users everybody may do everything: only for loopback. */
  users?: readonly { name: string; publicKey: string; permissions: Permissions }[]
  /** Public key of the user that may look into the server itself. */
  systemUser?: string
}

export function writeServerConfig(config: ServerConfig): string {
  const { host, port, storeDir, version, logFile, monitor, tls, cluster, users } = config
  const lines = [
    `host: ${text(host)}`,
    `port: ${port}`,
    'max_payload: 1MB',
    'max_pending: 32MB',
    'write_deadline: "2s"',
    'ping_interval: "10s"',
    'ping_max: 2',
    'lame_duck_grace_period: "10s"',
    'lame_duck_duration: "30s"',
    `jetstream { store_dir: ${text(storeDir)}${syncs(version) ? ', sync_interval: always' : ''} }`,
  ]
  if (logFile !== undefined) lines.push(`log_file: ${text(logFile)}`, 'logfile_size_limit: 10MB')
  if (monitor !== undefined) lines.push(`http: ${text(monitor)}`)
  if (tls) {
    const verify = tls.ca === undefined ? '' : `, ca_file: ${text(tls.ca)}, verify: true`
    lines.push(`tls { cert_file: ${text(tls.cert)}, key_file: ${text(tls.key)}, timeout: 5${verify} }`)
  }
  if (cluster) {
    lines.push(
      `server_name: ${text(cluster.server)}`,
      `cluster { name: ${text(cluster.name)}, listen: ${text(cluster.listen)}, no_advertise: true, routes: [${cluster.routes.map(text).join(', ')}] }`,
    )
  }
  if (users) lines.push(...accounts(users, config.systemUser))
  return `${lines.join('\n')}\n`
}

/** The part about users alone, for a configuration that includes it. */
export function writeUsers(users: NonNullable<ServerConfig['users']>, systemUser: string | undefined): string {
  return `${accounts(users, systemUser).join('\n')}\n`
}

function accounts(users: NonNullable<ServerConfig['users']>, systemUser: string | undefined): string[] {
  const lines = ['accounts {', '  FW {', '    jetstream: enabled', '    users: [']
  for (const { name, publicKey, permissions } of users) {
    lines.push(
      `      # ${name}`,
      `      { nkey: ${publicKey}, permissions: {`,
      `        publish: { allow: [${permissions.publish.map(text).join(', ')}] }`,
      `        subscribe: { allow: [${permissions.subscribe.map(text).join(', ')}] }`,
      '      } }',
    )
  }
  lines.push('    ]', '  }', `  SYS { users: [${systemUser === undefined ? '' : `{ nkey: ${systemUser} }`}] }`, '}', 'system_account: SYS')
  return lines
}

function syncs(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 2 || minor >= 10
}

/** Quoted as JSON, which the server's format contains. */
function text(value: string): string {
  return JSON.stringify(value)
}
