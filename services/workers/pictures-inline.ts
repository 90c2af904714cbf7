// Pictures by address, fetched for a provider that takes data only: done only where the operator has switched it on. A client names the
// address, so nothing but a picture at a public address is ever fetched, from the very address that was looked at.

import { Buffer } from 'node:buffer'
import { lookup as resolveName } from 'node:dns/promises'
import { request as plain } from 'node:http'
import { request as secure } from 'node:https'
import { isIP } from 'node:net'
import { FreewayError } from '#contracts/failure.ts'
import { isPublicAddress } from './public-address.ts'

const MAX_PICTURES = 16
const MAX_PICTURE_BYTES = 20 * 1024 * 1024
/** As much as a client may send itself. Beyond that a request of a few lines could take all memory of the process. */
const MAX_TOGETHER_BYTES = 32 * 1024 * 1024
const FETCH_MS = 10_000
const TYPES = /^image\/(?:png|jpeg|gif|webp|bmp|tiff|heic|heif|avif)$/

interface Found {
  address: string
  family: number
}

/** How the world is asked; tests stand in for it. */
export interface FetchWorld {
  resolve(host: string): Promise<Found[]>
  isAllowed(address: string): boolean
}

const world: FetchWorld = { resolve: (host) => resolveName(host, { all: true }), isAllowed: isPublicAddress }

/** The same chat body with data URLs in place of addresses. Rejects with FreewayError `invalid_request_error`, or the signal's reason. */
export async function inlinePictures(body: Uint8Array, signal: AbortSignal, around = world): Promise<Uint8Array> {
  const fields = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.length).toString()) as { messages?: unknown }
  const images = picturesIn(fields.messages)
  if (images.length === 0) return body
  if (images.length > MAX_PICTURES) throw refused(`at most ${MAX_PICTURES} pictures are fetched`)
  const room = { bytes: MAX_TOGETHER_BYTES }
  await Promise.all(
    images.map(async (image) => {
      image.url = await fetchPicture(image.url, signal, around, room)
    }),
  )
  return Buffer.from(JSON.stringify(fields))
}

function picturesIn(messages: unknown): { url: string }[] {
  const parts = (Array.isArray(messages) ? messages : []).flatMap(({ content }) => (Array.isArray(content) ? content : []))
  for (const part of parts) if (typeof part?.image_url === 'string') part.image_url = { url: part.image_url }
  return parts.flatMap(({ image_url }) => (typeof image_url?.url === 'string' && /^https?:/i.test(image_url.url) ? [image_url] : []))
}

/** As a data URL. `room`: what is left for it and others together. */
export async function fetchPicture(
  text: string,
  signal: AbortSignal,
  around = world,
  room = { bytes: MAX_TOGETHER_BYTES },
): Promise<string> {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') throw refused('its address is none')
  const found = await addressOf(url.hostname.replace(/^\[|\]$/g, ''), around)
  const limit = AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)])
  try {
    return await download(url, found, limit, room)
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof FreewayError ? error : refused('it could not be fetched')
  }
}

/** Every address that the name has must be allowed; the one that was looked at is the one that is connected to. */
async function addressOf(host: string, { resolve, isAllowed }: FetchWorld): Promise<Found> {
  const family = isIP(host)
  const found = family > 0 ? [{ address: host, family }] : await resolve(host).catch(() => [])
  const [first] = found
  if (!first || !found.every(({ address }) => isAllowed(address))) throw refused('its address is not public')
  return first
}

function download(url: URL, { address, family }: Found, signal: AbortSignal, room: { bytes: number }): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const ask = url.protocol === 'https:' ? secure : plain
  const lookup = (_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
    options.all ? done(null, [{ address, family }]) : done(null, address, family)
  const headers = { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'freeway' }
  const sent = ask(url, { agent: false, lookup: lookup as never, headers, signal }, (response) => {
    const type = (response.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
    const fail = (error: unknown) => {
      response.destroy()
      reject(error)
    }
    // A redirect leads to an address that nobody has looked at.
    if (response.statusCode !== 200) return fail(refused(`its server answered ${response.statusCode}`))
    if (!TYPES.test(type)) return fail(refused('it is no picture'))
    const parts: Uint8Array[] = []
    let bytes = 0
    response.on('data', (part: Uint8Array) => {
      bytes += part.length
      parts.push(part)
      room.bytes -= part.length
      if (bytes > MAX_PICTURE_BYTES) fail(refused('it is larger than 20 MB'))
      else if (room.bytes < 0) fail(refused('all together are larger than 32 MB'))
    })
    response.once('end', () => resolve(`data:${type};base64,${Buffer.concat(parts).toString('base64')}`))
    response.once('error', reject)
  })
  sent.once('error', reject).end()
  return promise
}

function refused(why: string): FreewayError {
  return new FreewayError('invalid_request_error', `messages: a picture was not fetched, because ${why}; send it as a data URL`, {
    param: 'messages',
  })
}
