// The yardstick: the least that a proxy in this runtime can do - node:http in, undici out, bytes through.

import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'

const upstream = new Pool(process.argv[2] as string, { keepAliveTimeout: 60_000 })

const server = createServer({ keepAliveTimeout: 0 }, (request, response) => {
  upstream
    .stream(
      { path: request.url as string, method: 'POST', body: request, headers: only(request.headers, 'authorization') },
      ({ statusCode, headers }) => response.writeHead(statusCode, only(headers)),
    )
    .catch(() => response.destroy()) // the load generator counts what did not arrive
})
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ msg: 'ready', port: (server.address() as AddressInfo).port })))
function only(headers: IncomingHttpHeaders, ...more: string[]): Record<string, string> {
  const kept: Record<string, string> = {}
  for (const name of ['content-type', 'content-length', ...more]) if (headers[name] !== undefined) kept[name] = String(headers[name])
  return kept
}

process.on('disconnect', () => process.exit())
process.on('SIGTERM', () => process.exit())
