import { connect } from 'node:net'
import { it } from 'vitest'
import { onClientGone, openFront } from './front.ts'

it('who asks only after the client has left whether it has is told so', async () => {
  const begun = Promise.withResolvers<void>()
  const told = Promise.withResolvers<void>()
  const front = await openFront({
    host: '127.0.0.1',
    port: 0,
    async handle(request) {
      begun.resolve()
      await new Promise<void>((gone) => onClientGone(request, gone))
      onClientGone(request, told.resolve)
      return new Response()
    },
  })
  try {
    const socket = connect(Number(new URL(front.url).port), '127.0.0.1').end('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await begun.promise
    socket.destroy()
    await told.promise
  } finally {
    await front.close()
  }
})
