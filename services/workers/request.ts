// Pure. What is sent to a provider: path, headers and body. Headers of the client never get here.

import type { Offer } from '#contracts/attempt.ts'
import { writeRequest } from '#contracts/wire/chat-completions/request.ts'
import type { Habits } from './habits.ts'
import type { Account } from './keys.ts'
import type { UpstreamRequest } from './upstream.ts'

export function providerRequest(account: Account, habits: Habits, offer: Offer, body: Uint8Array): UpstreamRequest {
  const { model, stream, adapt } = offer
  return {
    path: `${account.basePath}/chat/completions`,
    headers: {
      'content-type': 'application/json',
      accept: stream ? 'text/event-stream' : 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'freeway',
      ...habits.headers,
      ...account.headers,
    },
    body: writeRequest(body, { model, stream, change: habits.changeFor(model, adapt) }),
  }
}
