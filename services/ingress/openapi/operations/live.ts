// What happens now. The name of an event stands on its `event:` line, and what it holds on its `data:` line.

import { z } from 'zod'
import { liveEvent } from '#contracts/live.ts'
import { EVENTS_TYPE, type Operation } from '../operation.ts'
import { given } from '../schemas.ts'

const unnamed = (liveEvent.options as readonly z.ZodObject<{ event: z.ZodLiteral<string> }>[]).map((one) =>
  one.omit({ event: true }).describe(`\`event: ${one.shape.event.value}\``),
)
const ping = z.object({ at: z.number() }).describe('`event: ping`')

export const liveOperations: Operation[] = [
  {
    method: 'GET',
    path: '/api/live',
    id: 'watchLive',
    tag: 'Analytics',
    summary: 'Watch what happens now',
    description:
      'Server-sent events of all ingresses, each named on its `event:` line. Not every event comes: under load they are sampled, and a slow reader loses the oldest; `skipped` says how many.',
    errors: [429],
    answers: {
      200: {
        about: 'Events until one side ends it.',
        content: { [EVENTS_TYPE]: { schema: given('LiveEvent', z.union([...unnamed, ping])) } },
      },
    },
  },
]
