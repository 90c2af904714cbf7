// FreeLLMAPI's `POST /api/chat.php`. Its own sample clients split each read at line feeds, keep nothing of a line that is not complete,
// and take the first choice of every event: so only events that have one, each in one write, with one space and no names.

import { utf8 } from '#contracts/bytes.ts'
import type { Catalog } from '#contracts/catalog.ts'
import { readRequest } from '#contracts/wire/chat-php.ts'
import { phpEnvelope } from '#contracts/wire/envelope.ts'
import { SseReader, writeSse } from '#contracts/wire/sse.ts'
import type { Format, StreamFormat } from './format.ts'

const DONE = 'data: [DONE]\n\n'

export function chatPhp(catalog: () => Catalog): Format {
  return {
    envelope: phpEnvelope,
    readRequest: (body) => ({
      job: readRequest(body, (id) => nameOf(catalog(), id)),
      answer: { stream: () => stream(), whole: (completion) => completion },
    }),
  }
}

/** As `GET /api/models.php` numbers them. */
function nameOf({ providers }: Catalog, id: number): string | undefined {
  for (const provider of providers) {
    const model = provider.models.find(({ model_id }) => model_id === id)
    if (model) return `${provider.name}/${model.id}`
  }
  return undefined
}

/** Worth reading for: an event without a choice, which has usage or nothing in it. */
const NO_CHOICES = /"choices":\s*\[\s*\]/

/** Its Python client prints whatever an event has as content: of a model that thinks first, `None` for each thought. */
const NULL_CONTENT = /"content":\s*null/

function withoutNullContent(data: string): string {
  const event = JSON.parse(data) as { choices: { delta?: { content?: unknown } }[] }
  for (const { delta } of event.choices) if (delta?.content === null) delete delta.content
  return JSON.stringify(event)
}

function stream(): StreamFormat {
  let said: string[] = []
  const events = new SseReader(({ data }) => {
    if (!NO_CHOICES.test(data)) said.push(writeSse(NULL_CONTENT.test(data) ? withoutNullContent(data) : data))
  })
  return {
    ping: utf8(': ping\n\n'),
    write(bytes) {
      said = []
      events.push(bytes)
      return said.length === 0 ? undefined : utf8(said.join(''))
    },
    end: () => utf8(DONE),
    fail: (error, requestId) => utf8(writeSse(JSON.stringify(phpEnvelope(error, requestId).body)) + DONE),
  }
}
