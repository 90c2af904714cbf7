import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { type FetchWorld, fetchPicture, inlinePictures } from './pictures-inline.ts'
import { isPublicAddress } from './public-address.ts'

let server: Server
let port: number
let asked: string[] = []
const never = new AbortController().signal

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.headers.host}${request.url}`)
    if (request.url === '/moved') return response.writeHead(302, { location: '/a.png' }).end()
    if (request.url === '/page') return response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    if (request.url === '/huge') return response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(21 * 1024 * 1024))
    if (request.url === '/never') return response.writeHead(200, { 'content-type': 'image/png' }).flushHeaders()
    if (request.url === '/large') return response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.alloc(12 * 1024 * 1024))
    response.writeHead(200, { 'content-type': 'image/png; charset=x' }).end('PNG')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  asked = []
})

/** In which `pictures.test` is public, and lies here. */
const world: FetchWorld = {
  resolve: async (host) => (host === 'pictures.test' ? [{ address: '127.0.0.1', family: 4 }] : []),
  isAllowed: (address) => address === '127.0.0.1',
}

describe('a picture', () => {
  it('is fetched from the address that was looked at, under its own name', async () => {
    const data = `data:image/png;base64,${Buffer.from('PNG').toString('base64')}`
    expect(await fetchPicture(`http://pictures.test:${port}/a.png`, never, world)).toBe(data)
    expect(asked).toEqual([`pictures.test:${port}/a.png`])
  })

  it('takes the place of its address, and nothing else is changed', async () => {
    const url = `http://pictures.test:${port}/a.png`
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: url },
          { type: 'image_url', image_url: { url, detail: 'low' } },
        ],
      },
    ]
    const body = JSON.parse(new TextDecoder().decode(await inlinePictures(utf8(JSON.stringify({ messages, n: 1 })), never, world)))
    expect(body.messages[0].content[0].text).toBe(url)
    expect(body.messages[0].content[1].image_url).toEqual({ url: expect.stringMatching(/^data:image\/png;base64,/), detail: 'low' })
    expect(body.n).toBe(1)
    const plain = utf8('{"messages":[{"role":"user","content":"Hi"}]}')
    expect(await inlinePictures(plain, never, world)).toBe(plain)
  })

  it.each(['/moved', '/page', '/huge'])('is not what lies at %s', async (path) => {
    await expect(fetchPicture(`http://pictures.test:${port}${path}`, never, world)).rejects.toBeInstanceOf(FreewayError)
    expect(asked).toHaveLength(1)
  })

  it.each([
    [2, true],
    [3, false],
  ])('of 12 MB: %i of them together are fetched: %s', async (count, fetched) => {
    const part = { type: 'image_url', image_url: { url: `http://pictures.test:${port}/large` } }
    const body = utf8(JSON.stringify({ messages: [{ role: 'user', content: Array(count).fill(part) }] }))
    const outcome = await inlinePictures(body, never, world).catch((error: unknown) => error)
    expect(outcome instanceof FreewayError).toBe(!fetched)
  })

  it('is not waited for by somebody who has given up', async () => {
    const aborter = new AbortController()
    const picture = fetchPicture(`http://pictures.test:${port}/never`, aborter.signal, world)
    aborter.abort(new Error('called off'))
    await expect(picture).rejects.toThrow('called off')
  })
})

describe('nothing is fetched from', () => {
  const here: FetchWorld['resolve'] = async (host) =>
    (host.startsWith('both') ? ['1.1.1.1', '127.0.0.1'] : ['127.0.0.1']).map((address) => ({ address, family: 4 }))

  it.each([
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '0',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '192.0.0.192',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:a9fe:a9fe]',
    '[64:ff9b::7f00:1]',
    '[64:ff9b:1::1]',
    '[fe80::1]',
    '[fc00::1]',
    '[fd00::1]',
    '[ff02::1]',
    '[2002:7f00:1::]',
    '[2001::1]',
    '[2001:db8::1]',
    'localhost',
    'localhost.',
    'LOCALHOST',
    'printer.local',
    'both.example',
    'user@127.0.0.1',
    'a:b@example.com',
  ])('http://%s', async (host) => {
    const fetching = fetchPicture(`http://${host}:${port}/a.png`, never, { resolve: here, isAllowed: isPublicAddress })
    await expect(fetching).rejects.toBeInstanceOf(FreewayError)
    expect(asked).toEqual([])
  })

  it.each(['file:///etc/passwd', 'gopher://127.0.0.1/', 'ftp://example.com/a.png', 'http:', 'nonsense'])('%s', async (url) => {
    await expect(fetchPicture(url, never, { resolve: here, isAllowed: () => true })).rejects.toBeInstanceOf(FreewayError)
    expect(asked).toEqual([])
  })
})

it.each(['1.1.1.1', '93.184.216.34', '172.32.0.1', '2606:4700::1111'])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})
