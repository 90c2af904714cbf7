import { expect, it } from 'vitest'
import { documentOf, type MongoDocument, recordOf } from './mongo-document.ts'

const parts = {
  start: { at: 1, model: 'auto', stream: true, client: 'c' },
  end: { at: 2, outcome: 'ok', status: 200, provider: 'p', model: 'm', client: 'c', in: 3, ttfb_ms: null },
  'attempts.1.granted': { at: 1, provider: 'p', worker: 'w' },
  'attempts.1.worker': { at: 2, result: 'ok' },
  'attempts.2.ingress': { at: 2, result: 'ok' },
}

it('a record comes back as it was written, and can be searched by who, what and how', () => {
  const document = documentOf({ key: 'r', first: 1, parts, facts: [] })
  expect(recordOf(document)).toEqual({ id: 'r', first: 1, parts })
  expect(document).toMatchObject({
    ended: true,
    end: { at: 2, provider: 'p', model: 'm', outcome: 'ok', client: 'c' },
    start: { client: 'c' },
  })
})

it('documents of before, all of whose words are fields, are read as well', () => {
  const { start, end } = parts
  const attempts = {
    1: { granted: parts['attempts.1.granted'], worker: parts['attempts.1.worker'] },
    2: { ingress: parts['attempts.2.ingress'] },
  }
  const document: MongoDocument = { _id: 'r', first: new Date(1), ended: true, start, end, attempts }
  expect(recordOf(document)).toEqual({ id: 'r', first: 1, parts })
})
