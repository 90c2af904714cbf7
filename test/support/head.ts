// With what a worker opens a streamed answer.

import type { InboxMessage } from '#contracts/attempt.ts'

export const head = {
  t: 'head',
  status: 200,
  framing: 'sse',
  type: 'text/event-stream',
  provider: 'groq',
  model: 'm',
  worker_ms: 1,
  upstream_ms: 2,
} as const satisfies InboxMessage
