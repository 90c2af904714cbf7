// A way to a server that can be cut: whoever is at its end is then partitioned. Nobody is told, connections stay open,
// bytes neither come nor go, and those that were on their way arrive once it is mended.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Cable {
  readonly port: number
  cut(): void
  mend(): void
  close(): Promise<void>
}

export async function layCable(toPort: number, host = '127.0.0.1'): Promise<Cable> {
  const ends = new Set<Socket>()
  let whole = true
  const server = createServer((near) => {
    const far = connect(toPort, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      ends.add(from)
      from.setNoDelay(true)
      if (!whole) from.pause()
      from.on('data', (part) => {
        if (!to.write(part)) {
          from.pause()
          to.once('drain', () => whole && from.resume())
        }
      })
      // Also the end of a connection does not get through.
      from.on('end', () => void untilWhole().then(() => to.end()))
      from.on('error', () => to.destroy())
      from.once('close', () => {
        ends.delete(from)
        void untilWhole().then(() => to.destroy())
      })
    }
  })
  let mended = Promise.withResolvers<void>()
  const untilWhole = () => (whole ? Promise.resolve() : mended.promise)
  server.listen(0, host)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      whole = false
      mended = Promise.withResolvers<void>()
      for (const end of ends) end.pause()
    },
    mend() {
      whole = true
      mended.resolve()
      for (const end of ends) end.resume()
    },
    async close() {
      whole = true
      mended.resolve()
      const closed = once(server, 'close')
      server.close()
      for (const end of ends) end.destroy()
      await closed
    },
  }
}
