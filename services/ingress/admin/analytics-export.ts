// The log of requests as a file: read page by page while it is written, so that neither side holds all of it.

import type { QuestionOf, RequestEntry } from '#contracts/question.ts'
import { PAGE_LIMIT } from '#contracts/question.ts'
import { respond } from '../respond.ts'
import type { Ask } from './analytics-ask.ts'
import { csvHead, csvLine } from './analytics-csv.ts'

type Filter = Omit<QuestionOf<'requests'>, 'kind' | 'cursor' | 'limit'>

/** Of one file. Whoever wants more asks again, with `until` set to the last time of the file before. */
const MAX_REQUESTS = 100_000

const formats = {
  csv: { type: 'text/csv; charset=utf-8', head: csvHead, line: csvLine, between: '', tail: '' },
  json: {
    type: 'application/json; charset=utf-8',
    head: '[',
    line: (entry: RequestEntry) => JSON.stringify(entry),
    between: ',\n',
    tail: ']\n',
  },
} as const

/** Rejects with FreewayError as long as nothing was written; afterwards the download breaks off, so that it never looks complete. */
export async function exportRequests(ask: Ask, filter: Filter, format: keyof typeof formats): Promise<Response> {
  const { type, head, line, between, tail } = formats[format]
  const encoder = new TextEncoder()
  const pageAt = (cursor?: string) => ask({ kind: 'requests', ...filter, limit: PAGE_LIMIT.max, ...(cursor ? { cursor } : {}) })
  let page: Awaited<ReturnType<typeof pageAt>> | undefined = await pageAt()
  let written = 0

  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { data, next } = page ?? { data: [], next: null }
      let text = written === 0 ? head : ''
      for (const entry of data) text += `${written++ === 0 ? '' : between}${line(entry)}`
      const more = next !== null && written < MAX_REQUESTS
      // An empty page is followed by others; its head must not come twice.
      if (!more) text += tail
      if (text !== '') controller.enqueue(encoder.encode(text))
      if (!more) return controller.close()
      page = await pageAt(next)
    },
  })
  return respond(
    200,
    {
      'content-type': type,
      'content-disposition': `attachment; filename="freeway-requests.${format}"`,
      'cache-control': 'no-store',
    },
    body,
  )
}
