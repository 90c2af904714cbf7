// Pure. How a record looks in MongoDB: what it is searched by are fields, everything else of a fact is one text. Each field of a
// document has its price, most of all for servers that keep documents in tables of their own: with all forty they took half as many.

import type { Change, Fields, Parts } from '../merge.ts'
import type { RequestRecord } from '../record.ts'

export interface MongoDocument {
  _id: string
  [field: string]: unknown
}

/** As a fact writes it: of ends and starts an object, of all else the text alone. Before version 2 an object of nothing but fields. */
type Stored = string | ({ more?: string } & Fields)

const told = ['granted', 'ingress', 'worker']

export function documentOf({ key, first, parts }: Change): MongoDocument {
  const attempts: Record<string, Record<string, Stored>> = {}
  const document: MongoDocument = { _id: key, first: new Date(first), attempts }
  for (const [place, fields] of Object.entries(parts)) {
    const [field = '', n, teller] = place.split('.')
    if (n === undefined || teller === undefined) document[field] = storedOf(place, fields)
    else attempts[n] = { ...attempts[n], [teller]: storedOf(place, fields) }
  }
  if (isEnded(parts)) document.ended = true
  return document
}

/** What `$set` adds to a document that is there. */
export function placesOf(parts: Parts): Record<string, unknown> {
  const places: Record<string, unknown> = {}
  for (const [place, fields] of Object.entries(parts)) places[place] = storedOf(place, fields)
  if (isEnded(parts)) places.ended = true
  return places
}

export function recordOf({ _id, first, start, end, reaped, attempts = {} }: MongoDocument): RequestRecord {
  const parts: Parts = {}
  for (const [place, stored] of Object.entries({ start, end, reaped })) if (stored) parts[place] = fieldsOf(stored as Stored)
  for (const [n, attempt] of Object.entries(attempts as Record<string, Record<string, Stored>>)) {
    for (const teller of told) if (attempt[teller]) parts[`attempts.${n}.${teller}`] = fieldsOf(attempt[teller])
  }
  return { id: _id, first: (first as Date).getTime(), parts }
}

function storedOf(place: string, fields: Fields): Stored {
  if (place.startsWith('attempts.')) return JSON.stringify(fields)
  const { at, provider, model, outcome, client, ...more } = fields
  // The start's model is what was asked for, and nobody searches for it.
  if (place === 'start') return { at, client, more: JSON.stringify({ ...more, provider, model, outcome }) }
  return { at, provider, model, outcome, client, more: JSON.stringify(more) }
}

function fieldsOf(stored: Stored): Fields {
  if (typeof stored === 'string') return JSON.parse(stored) as Fields
  const { more, ...fields } = stored
  return more === undefined ? fields : { ...fields, ...(JSON.parse(more) as Fields) }
}

function isEnded({ end, reaped }: Parts): boolean {
  return end !== undefined || reaped !== undefined
}
