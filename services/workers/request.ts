// Pure. What is sent to a provider: path, headers and body. Headers of the client never get here.

import type { Offer } from '#contracts/attempt.ts'
import type { Provider } from '#contracts/catalog.ts'
import { writeRequest } from '#contracts/wire/chat-completions/request.ts'
import type { UpstreamRequest } from './upstream.ts'

export function providerRequest(
  provider: Provider,
  key: string | undefined,
  offer: Offer,
  body: Uint8Array,
  basePath: string,
): UpstreamRequest {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: offer.stream ? 'text/event-stream' : 'application/json',
    'accept-encoding': 'identity',
    'user-agent': 'freeway',
  }
  if (key !== undefined && provider.needs_key) headers.authorization = `Bearer ${key}`
  return { path: `${basePath}/chat/completions`, headers, body: writeRequest(body, { model: offer.model, stream: offer.stream }) }
}
