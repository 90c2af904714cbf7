// Pure. What is sent to a provider: path, headers and body. Headers of the client never get here.

import type { Offer } from '#contracts/attempt.ts'
import { writeRequest } from '#contracts/wire/chat-completions/request.ts'
import type { Dialect } from './dialect.ts'
import type { Habits } from './habits.ts'
import type { Account } from './keys.ts'
import type { UpstreamRequest } from './upstream.ts'

/** `dialect`: the provider's own format, if it is another than chat completions. Throws FreewayError for what that cannot say. */
export function providerRequest(
  account: Account,
  habits: Habits,
  offer: Pick<Offer, 'model' | 'stream' | 'adapt'>,
  body: Uint8Array,
  dialect?: Dialect,
): UpstreamRequest {
  const { model, stream, adapt } = offer
  const options = { model, stream, change: habits.changeFor(model, adapt) }
  const written = dialect ? dialect.write(body, options) : { headers: {}, body: writeRequest(body, options) }
  return {
    path: `${account.basePath}${dialect?.path ?? '/chat/completions'}`,
    headers: {
      'content-type': 'application/json',
      accept: stream ? 'text/event-stream' : 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'freeway',
      ...written.headers,
      ...habits.headers,
      ...account.headers,
    },
    body: written.body,
  }
}
