// Whose key it is: an admin's, a client's, or nobody's. Keys are compared as digests, so that the time it takes tells nothing.

import { Buffer } from 'node:buffer'
import { hash, timingSafeEqual } from 'node:crypto'
import { presentedKey } from './gate.ts'

/** Headers that may hold a credential. Sent twice, one proxy would believe the first and another the last. */
const CREDENTIAL_HEADERS = ['authorization', 'x-api-key', 'x-admin-token']

export interface Presented {
  key: string | undefined
  /** Why there is none, if that can be told; the words of a 401. */
  hint: string | undefined
}

export function presented(request: Request): Presented {
  if (isSentTwice(request)) return { key: undefined, hint: 'the API key was sent more than once: send one header' }
  const key = presentedKey(request.headers)
  if (key === undefined && hasKeyInQuery(request.url)) {
    return { key, hint: 'an API key in the URL is not accepted: send it as "Authorization: Bearer <key>"' }
  }
  return { key, hint: undefined }
}

/** Tells whether a key is `secret`. Both are digested first, so lengths and common beginnings cost the same. */
export function secretCheck(secret: string): (key: string) => boolean {
  const own = digest(secret)
  return (key) => timingSafeEqual(digest(key), own)
}

function digest(text: string): Buffer {
  return Buffer.from(hash('sha256', text, 'hex'), 'hex')
}

/** Node joins or drops repeated headers before anybody sees them; here they are still apart. */
function isSentTwice(request: Request): boolean {
  const raw = (request as { runtime?: { node?: { req: { rawHeaders: string[] } } } }).runtime?.node?.req.rawHeaders
  if (!raw) return CREDENTIAL_HEADERS.some((name) => request.headers.get(name)?.includes(', '))
  let seen = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i] as string
    if (name.length !== 9 && name.length !== 13) continue
    const which = CREDENTIAL_HEADERS.indexOf(name.toLowerCase())
    if (which < 0) continue
    if ((seen & (1 << which)) !== 0) return true
    seen |= 1 << which
  }
  return false
}

function hasKeyInQuery(url: string): boolean {
  const at = url.indexOf('?')
  return at >= 0 && /[?&](?:key|api_key|api-key|apikey|access_token|token)=/i.test(url.slice(at))
}
