import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, it } from 'vitest'
import { Disconnected } from '#contracts/bus.ts'
import { connectNats } from './nats.ts'

it('a broker that takes too little in a message is refused in words, and not found out by the first long prompt', async () => {
  const info = { server_id: 's', version: '2.10.0', proto: 1, headers: true, max_payload: 65_536 }
  const broker = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify(info)}\r\n`)
    socket.on('data', (bytes) => bytes.includes('PING\r\n') && socket.write('PONG\r\n'))
  }).listen(0, '127.0.0.1')
  await once(broker, 'listening')
  try {
    const servers = `127.0.0.1:${(broker.address() as AddressInfo).port}`
    const connecting = connectNats({ servers, role: 'ingress', instance: 'i1' })
    await expect(connecting).rejects.toThrow(/65536 bytes.*max_payload/)
    await expect(connecting).rejects.toBeInstanceOf(Disconnected)
  } finally {
    // Only once no connection is left.
    const closed = once(broker, 'close')
    broker.close()
    await closed
  }
})
