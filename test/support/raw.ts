// HTTP by hand, for what no HTTP client would send.

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawAnswer {
  status: number
  headers: Record<string, string>
  body: string
}

export interface RawConnection {
  readonly socket: Socket
  /** Everything received so far, as bytes of latin1. */
  readonly received: string
  /** Resolves once `count` whole answers are there, or with fewer when the connection is closed. */
  answers(count: number): Promise<RawAnswer[]>
  /** All answers, once the other end has closed. */
  untilClosed(): Promise<RawAnswer[]>
}

export async function openRaw(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  // A reset is one of the ways to refuse; what came before it counts.
  socket.on('error', () => {})
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text
  })
  const closed = once(socket, 'close')
  await once(socket, 'connect')
  return {
    socket,
    get received() {
      return received
    },
    async answers(count) {
      while (readAnswers(received).length < count) {
        if ((await Promise.race([once(socket, 'data'), closed.then(() => 'closed')])) === 'closed') break
      }
      return readAnswers(received)
    },
    async untilClosed() {
      await closed
      return readAnswers(received)
    },
  }
}

/** Sends `text` and returns the first answer; undefined if there was none before the connection was closed. */
export async function sendRaw(port: number, text: string): Promise<RawAnswer | undefined> {
  const connection = await openRaw(port)
  connection.socket.write(Buffer.from(text, 'latin1'))
  const [answer] = await connection.answers(1)
  connection.socket.destroy()
  return answer
}

/** Whole answers with a length, or with chunks and no trailers; a rest without its end is left out. */
function readAnswers(text: string): RawAnswer[] {
  const answers: RawAnswer[] = []
  let rest = text
  while (true) {
    const end = rest.indexOf('\r\n\r\n')
    if (end < 0) return answers
    const [first = '', ...lines] = rest.slice(0, end).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    )
    const after = rest.slice(end + 4)
    const length = headers['transfer-encoding'] === 'chunked' ? after.indexOf('0\r\n\r\n') + 5 : Number(headers['content-length'] ?? 0)
    if (after.length < length || length === 4) return answers
    answers.push({ status: Number(first.split(' ')[1]), headers, body: after.slice(0, length) })
    rest = after.slice(length)
  }
}
