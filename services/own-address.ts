// Pure. Where this machine reaches what listens here: an address to listen on is not always one to connect to.

/** `http://127.0.0.1:3001`, without a path. */
export function ownAddress(host: string, port: number): string {
  return `http://${reachable(host)}:${port}`
}

function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
