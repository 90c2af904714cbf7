// Dead letters as they are asked for: listed, and read again once whatever was wrong is mended.

import type { Answers, QuestionOf } from '#contracts/question.ts'
import { readMessage } from './reading.ts'
import type { EventStore } from './store/store.ts'

/** Of each letter in a list, so that a page fits into one message. */
const EXCERPT = 2_000

export async function listLetters(store: EventStore, { cursor, limit }: QuestionOf<'dead_letters'>): Promise<Answers['dead_letters']> {
  const { letters, next } = await store.letters(cursor, limit)
  return { data: letters.map(({ text, ...letter }) => ({ ...letter, text: text.slice(0, EXCERPT), length: text.length })), next }
}

/** Its facts are stored before it goes: whenever this is interrupted, it can be done again. */
export async function requeue(store: EventStore, id: string): Promise<Answers['requeue']> {
  const letter = await store.letter(id)
  if (!letter) return null
  const { events, fault } = readMessage(id, new TextEncoder().encode(letter.text))
  const { saved } = events.length > 0 ? await store.save(events) : { saved: [] }
  if (fault) return { facts: saved.length, reason: fault.reason }
  if (saved.length < events.length) return { facts: saved.length, reason: 'the store did not take all of it; try again' }
  await store.forget(id)
  return { facts: saved.length, reason: null }
}
