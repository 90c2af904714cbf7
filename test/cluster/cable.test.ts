import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Cable, layCable } from './cable.ts'

let stack: AsyncDisposableStack
let cable: Cable
let far: Promise<Socket>
let near: Socket
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => void server.close())
  far = once(server, 'connection').then(([socket]) => socket as Socket)
  cable = await layCable((server.address() as AddressInfo).port)
  stack.defer(() => cable.close())
  near = connect(cable.port, '127.0.0.1')
  stack.defer(() => void near.destroy())
})
afterEach(() => stack.disposeAsync())

const heard = async (socket: Socket) => String((await once(socket, 'data'))[0])

it('carries bytes both ways, and the end of the connection', async () => {
  const end = await far
  near.write('there')
  expect(await heard(end)).toBe('there')
  end.write('back')
  expect(await heard(near)).toBe('back')
  end.end()
  await once(near, 'end')
})

it('cut, it keeps bytes and ends of connections back, and delivers them once it is mended', async () => {
  const end = await far
  near.write('before')
  await heard(end)
  cable.cut()
  let early = ''
  end.on('data', (part) => {
    early += part
  })
  near.write('while cut')
  near.end()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(early).toBe('')
  const ended = once(end, 'end')
  cable.mend()
  await ended
  expect(early).toBe('while cut')
})
