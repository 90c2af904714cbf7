// POST /v1/responses/compact: a conversation cut down to what the model itself says must be remembered of it.

import { utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { openaiEnvelope } from '#contracts/wire/envelope.ts'
import { COMPACTION_PROMPT, writeCompaction } from '#contracts/wire/responses/compaction.ts'
import { readRequest } from '#contracts/wire/responses/request.ts'
import { type InputItem, parseRequest, type ResponsesRequest } from '#contracts/wire/responses/shape.ts'
import { writeUsage } from '#contracts/wire/responses/usage.ts'
import { type ExchangeOptions, exchange } from '../exchange.ts'
import { readCompletion } from '../formats/chunks.ts'
import type { Format } from '../formats/format.ts'

type Recall = (request: ResponsesRequest) => Promise<{ context: InputItem[]; items: InputItem[] }>

/** Rejects with FreewayError if the request is refused; a model has to be named. */
export function compact(request: Request, serving: ExchangeOptions, recall: Recall): Promise<Response> {
  const format: Format = {
    envelope: openaiEnvelope,
    async readRequest(body, { id }) {
      const { model, instructions, input, previous_response_id } = parseRequest(body)
      if (!model) throw new FreewayError('invalid_request_error', 'missing model', { param: 'model' })
      const { context, items } = await recall({ model, instructions, input, previous_response_id })
      const ask: InputItem = { type: 'message', role: 'user', content: COMPACTION_PROMPT }
      if (context.length + items.length === 0)
        throw new FreewayError('invalid_request_error', 'input: there is nothing to compact', { param: 'input' })
      const { job } = readRequest({ model, instructions }, { context, items: [...items, ask] })
      return { job, answer: { stream: () => unasked(), whole: (completion) => utf8(JSON.stringify(writeCompacted(id, completion))) } }
    },
  }
  return exchange(request, '/v1/responses/compact', format, serving)
}

function writeCompacted(id: string, completion: Uint8Array): object {
  let summary = ''
  let usage: object = writeUsage({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 })
  for (const chunk of readCompletion(completion)) {
    if (chunk.t === 'text' && chunk.choice === 0) summary += chunk.text
    if (chunk.t === 'usage') usage = writeUsage(chunk.usage)
  }
  const output = [writeCompaction(`cmp_${id}_0`, summary)]
  return { id: `resp_${id}`, object: 'response.compaction', created_at: Math.floor(Date.now() / 1000), output, usage }
}

function unasked(): never {
  throw new Error('a compaction is never streamed')
}
