import { Buffer } from 'node:buffer'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Simulator, startSimulator } from './simulator.ts'

let simulator: Simulator
const open: ClientRequest[] = []
beforeEach(async () => {
  simulator = await startSimulator()
})
afterEach(async () => {
  for (const one of open.splice(0)) one.destroy()
  await simulator.close()
})

interface Received {
  /** `end`, or the error's code. */
  how: string
  text: string
  head: IncomingMessage | undefined
}

const bodyFor = (model: string, more: object = {}) =>
  JSON.stringify({ model, stream: true, messages: [{ role: 'user', content: 'Say exactly: a b c' }], ...more })

function send(model: string, more: object = {}): ClientRequest {
  const call = request(`${simulator.url}/v1/chat/completions`, { method: 'POST', agent: false })
  // Calls that a test leaves hanging are destroyed after it; those that it reads have their own listener.
  call.on('error', () => {})
  open.push(call)
  call.end(bodyFor(model, more))
  return call
}

/** Reads to the end, whichever end it is. */
function receive(model: string, more: object = {}): Promise<Received> {
  return new Promise((resolve) => {
    let text = ''
    let head: IncomingMessage | undefined
    const call = send(model, more)
    call.on('error', (error: NodeJS.ErrnoException) => resolve({ how: error.code ?? error.message, text, head }))
    call.on('response', (response) => {
      head = response
      head.setEncoding('utf8')
      head.on('data', (part) => {
        text += part
      })
      head.on('end', () => resolve({ how: 'end', text, head }))
      head.on('error', (error: NodeJS.ErrnoException) => resolve({ how: error.code ?? error.message, text, head }))
    })
  })
}

const eventsIn = (text: string) => text.split('\n\n').filter(Boolean).length

test('a whole stream of a role, three pieces, a finish and [DONE] ends properly', async () => {
  const { how, text } = await receive('m')
  expect([how, eventsIn(text), text.endsWith('data: [DONE]\n\n')]).toEqual(['end', 6, true])
})

test.each([0, 1, 3, 5])(
  'cut and reset after %i events reach the reader as a broken connection with exactly those events',
  async (place) => {
    for (const how of ['cut', 'reset']) {
      const received = await receive(`m?${how}=${place}`)
      expect([received.how, eventsIn(received.text), received.head?.statusCode]).toEqual(['ECONNRESET', place, 200])
      const call = await simulator.waitFor((one) => one.model === `m?${how}=${place}` && one.closedAt !== undefined)
      expect([call.closedBy, call.completed, call.eventsSent]).toEqual(['us', false, place])
    }
  },
)

test.each(['cut=head', 'reset=head'])('%s comes before the status line', async (fault) => {
  expect(await receive(`m?${fault}`)).toEqual({ how: 'ECONNRESET', text: '', head: undefined })
})

test('half an event can be sent before the break', async () => {
  const { text } = await receive('m?cut=2&partial')
  expect([eventsIn(text), text.endsWith('\n\n')]).toEqual([3, false])
})

test.each([
  ['end=0', 0],
  ['end=1', 1],
  ['end=-1', 5],
])('%s ends the body properly after %i events', async (fault, events) => {
  const { how, text } = await receive(`m?${fault}`)
  expect([how, eventsIn(text)]).toEqual(['end', events])
})

test('a stall sends so many events and leaves the connection open', async () => {
  const call = send('m?stall=2')
  const [head] = await new Promise<[IncomingMessage]>((resolve) => call.once('response', (response) => resolve([response])))
  head.resume()
  const seen = await simulator.waitFor((one) => one.eventsSent === 2)
  expect([head.statusCode, seen.closedAt, simulator.openCalls]).toEqual([200, undefined, 1])
  send('m?stall=head')
  const silent = await simulator.waitFor((one) => one.model === 'm?stall=head')
  expect([silent.status, silent.closedAt]).toEqual([undefined, undefined])
})

test('with Connection: close and no length an early end looks like any other', async () => {
  const { how, text, head } = await receive('m?framing=close&cut=2')
  expect([how, eventsIn(text), head?.headers.connection, head?.headers['transfer-encoding']]).toEqual(['end', 2, 'close', undefined])
})

test('a JSON answer can be cut short of its length', async () => {
  const { how, text, head } = await receive('m?cut=0&partial', { stream: false })
  expect(how).toBe('ECONNRESET')
  expect(text.length).toBeGreaterThan(0)
  expect(text.length).toBeLessThan(Number(head?.headers['content-length']))
})

test.each([
  ['bad-status', 'HPE_INVALID_CONSTANT'],
  ['folded', 'HPE_INVALID_HEADER_TOKEN'],
  ['huge', 'HPE_HEADER_OVERFLOW'],
])('the head %s is refused by the parser', async (kind, code) => {
  expect((await receive(`m?head=${kind}`)).how).toBe(code)
})

test('the latency to the first token holds back the status line, unless told otherwise', async () => {
  const timed = async (model: string) => {
    const beganAt = performance.now()
    const call = send(model)
    await new Promise((resolve) => call.once('response', resolve))
    return performance.now() - beganAt
  }
  expect(await timed('m?ttft=120')).toBeGreaterThanOrEqual(115)
  expect(await timed('m?ttft=60000&early')).toBeLessThan(10_000)
})

test('events come at the pace that was set', async () => {
  const beganAt = performance.now()
  const { text } = await receive('m?tps=100')
  expect(eventsIn(text)).toBe(6)
  expect(performance.now() - beganAt).toBeGreaterThanOrEqual(48)
})

test('single bytes are single HTTP chunks, and mean the same', async () => {
  const plain = await receive('demo/echo')
  const split = await receive('demo/echo?split=1')
  const stable = (text: string) => text.replaceAll(/"(?:id|model)":"[^"]*"|"created":\d+/g, '')
  expect(stable(split.text)).toBe(stable(plain.text))
  const raw = await rawAnswer(bodyFor('m?split=1&end=1'))
  expect(raw).toMatch(/\r\n1\r\nd\r\n1\r\na\r\n1\r\nt\r\n/)
})

/** The bytes on the wire. */
function rawAnswer(body: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(simulator.port, '127.0.0.1')
    let text = ''
    socket.setEncoding('latin1').on('data', (part) => {
      text += part
    })
    socket.on('end', () => resolve(text)).on('error', reject)
    socket.write(
      `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
  })
}

test('gzip is announced and can be unpacked', async () => {
  for (const stream of [true, false]) {
    const response = await fetch(`${simulator.url}/v1/chat/completions`, { method: 'POST', body: bodyFor('m?gzip', { stream }) })
    expect([response.headers.get('content-encoding'), (await response.text()).match(/"finish_reason":"stop"/g)?.length]).toEqual([
      'gzip',
      1,
    ])
  }
})

test('a recorded stream is played with its silence', async () => {
  expect((await receive('m?sample=generic-stream-error-then-done')).text).toContain('provider temporarily unavailable')
  send('m?sample=generic-stream-stall')
  const call = await simulator.waitFor((one) => one.model?.endsWith('stall') === true && one.eventsSent === 1)
  expect(call.closedAt).toBeUndefined()
})

test('load has numbered pieces of the given size, streamed or not', async () => {
  const streamed = await receive('m?chunks=100&size=20')
  const pieces = [...streamed.text.matchAll(/"content":"(\d+) x+"/g)]
  expect([pieces.length, pieces[7]?.[1], eventsIn(streamed.text)]).toEqual([100, '7', 103])
  const whole = JSON.parse((await receive('m?chunks=100&size=20', { stream: false })).text)
  expect([whole.choices[0].message.content.length, whole.usage.completion_tokens]).toEqual([2000, 100])
})

test('a huge answer waits for a reader who does not read, and an endless one ends with him', async () => {
  const call = send('m?endless&size=65536')
  await new Promise<void>((resolve) => call.once('response', (head) => resolve(void head.pause())))
  const logged = await simulator.waitFor((one) => one.bytesSent > 1_000_000)
  await settled(() => logged.bytesSent)
  expect(logged.bytesSent).toBeLessThan(32_000_000)
  call.destroy()
  await simulator.waitFor((one) => one === logged && one.closedBy === 'peer')
})

/** Until a number has stayed the same over several turns of the event loop. */
async function settled(read: () => number): Promise<void> {
  for (let last = -1, same = 0; same < 50; ) {
    const now = read()
    same = now === last ? same + 1 : 0
    last = now
    await new Promise((resolve) => setImmediate(resolve))
  }
}

test('sixty-four megabytes arrive whole', async () => {
  const { how, text } = await receive('m?chunks=1000&size=65536')
  expect([how, text.length > 65_536_000, text.endsWith('[DONE]\n\n')]).toEqual(['end', true, true])
})
