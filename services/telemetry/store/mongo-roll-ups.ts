// Roll-ups in MongoDB, one document a minute and one an hour, made anew from the records whenever those have changed.
// Who changes records marks their minutes and hours with a new token afterwards; a roll-up is written only if the token is still
// the one that was read before the records were. So whatever dies, and however many replicas do it at once, the last one to be
// written has seen every record that was marked before it, and a mark that comes later has it made again. Nothing is ever added up.

import { randomUUID } from 'node:crypto'
import type { Collection } from 'mongodb'
import type { Change } from '../merge.ts'
import { type Cell, countedOf, openCells, type Span, settled, spans, startOf } from '../tally.ts'
import type { MongoConnection } from './mongo-connection.ts'
import { type MongoDocument, recordOf } from './mongo-document.ts'
import type { EventStore, Retention } from './store.ts'

const PAGE = 1_000
/** Minutes and hours of one go. */
const AT_ONCE = 100
/** At most this share of the time is spent on making roll-ups: one part in so many. */
const SHARE = 10
const SWEEP_MS = 10 * 60 * 1000
const DAY_MS = 24 * spans.hour
/** A document holds 16 MB; beyond this many, clients of a minute are not told apart. */
const MAX_CELLS = 30_000

const names = { minute: 'minutes', hour: 'hours' } as const

type RollUps = Pick<EventStore, 'rollUp' | 'cells'> & {
  /** To be told after the changes are stored, before their facts are acknowledged; `known`: of these something was stored before. */
  changed(changes: readonly Change[], known: readonly Change[]): Promise<void>
}

export function openRollUps({ collection, unforgotten }: MongoConnection, kept: Retention): RollUps {
  let dueAt = 0
  let sweptAt = 0

  async function changed(changes: readonly Change[], known: readonly Change[]): Promise<void> {
    const times = changes.flatMap(({ parts: { end, reaped } }) => [end?.at, reaped?.at])
    times.push(...(await reapedAt(known.filter(({ parts }) => parts.end ?? parts.reaped))))
    const minutes = new Set(times.filter((at) => typeof at === 'number').map((at) => startOf('minute', at)))
    // Minutes first: an hour without a mark may be read while one of its minutes has one, but is then marked after it.
    await mark('minute', minutes)
    await mark('hour', new Set([...minutes].map((minute) => startOf('hour', minute))))
  }

  /** An end that was found out before the real one came counted in a minute of its own. */
  async function reapedAt(changes: readonly Change[]): Promise<number[]> {
    if (changes.length === 0) return []
    const replaced = (await collection('requests')).find(
      { _id: { $in: changes.map(({ key }) => key) }, 'reaped.at': { $gte: 0 } },
      { projection: { 'reaped.at': 1 } },
    )
    return (await replaced.toArray()).map(({ reaped }) => (reaped as { at: number }).at)
  }

  async function mark(span: Span, starts: ReadonlySet<number>): Promise<void> {
    const dirty = randomUUID()
    const updates = [...starts].map((start) => ({
      updateOne: { filter: { _id: idOf(start) }, update: { $set: { dirty, at: new Date(start) } }, upsert: true },
    }))
    if (updates.length > 0) await (await collection(names[span])).bulkWrite(updates, { ordered: false })
  }

  async function rollUp(all = false): Promise<void> {
    const started = performance.now()
    if (!all && started < dueAt) return
    let more = true
    while (more) {
      const minutes = await marked('minute')
      for (const minute of minutes) await rollUpMinute(minute)
      const hours = await marked('hour')
      let done = 0
      for (const hour of hours) if (await rollUpHour(hour)) done++
      // Whoever marks all the time is not waited for.
      more = minutes.length === AT_ONCE || (all && minutes.length + done > 0)
    }
    await sweep()
    dueAt = performance.now() + SHARE * (performance.now() - started)
  }

  async function marked(span: Span): Promise<MongoDocument[]> {
    const found = (await collection(names[span])).find({ dirty: { $gt: '' } }, { projection: { dirty: 1, at: 1 } })
    return found.sort({ _id: 1 }).limit(AT_ONCE).toArray()
  }

  async function rollUpMinute({ _id, dirty, at }: MongoDocument): Promise<void> {
    const start = (at as Date).getTime()
    const minutes = await collection('minutes')
    // Its records begin to be forgotten: what it came to is left as it is.
    if (start < Date.now() - kept.requestsMs + DAY_MS && (await minutes.findOne({ _id, cells: { $gt: '' } }, { projection: { at: 1 } }))) {
      await minutes.updateOne({ _id, dirty }, { $set: { dirty: null } })
      return
    }
    const cells = await cellsOf(await collection('requests'), start)
    await minutes.updateOne({ _id, dirty }, { $set: { dirty: null, cells: JSON.stringify(cells) } })
  }

  /** False if it has to wait for one of its minutes. */
  async function rollUpHour({ _id, dirty, at }: MongoDocument): Promise<boolean> {
    const start = (at as Date).getTime()
    const minutes = await (await collection('minutes')).find(within(start, start + spans.hour)).toArray()
    if (minutes.some((minute) => typeof minute.dirty === 'string')) return false
    const sums = openCells()
    for (const cell of minutes.flatMap(readCells)) sums.add(start, cell, cell)
    const hours = await collection('hours')
    await hours.updateOne({ _id, dirty }, { $set: { dirty: null, cells: JSON.stringify(settled(sums.list())) } })
    return true
  }

  async function sweep(): Promise<void> {
    if (Date.now() - sweptAt < SWEEP_MS) return
    sweptAt = Date.now()
    for (const [name, { field, keptMs }] of unforgotten) {
      await (await collection(name)).deleteMany({ [field]: { $lt: new Date(Date.now() - keptMs) } })
    }
  }

  async function* cells(span: Span, from: number, to: number): AsyncGenerator<Cell[]> {
    const found = (await collection(names[span])).find(within(from, to), { batchSize: PAGE })
    for await (const document of found) {
      const start = (document.at as Date).getTime()
      if (span === 'minute' || typeof document.dirty !== 'string') yield readCells(document)
      // An hour in the making is as its minutes are.
      else for await (const page of cells('minute', start, start + spans.hour)) yield page.map((cell) => ({ ...cell, start }))
    }
  }

  return { changed, rollUp, cells }
}

/** From the records of one minute. */
async function cellsOf(requests: Collection<MongoDocument>, start: number): Promise<Cell[]> {
  const range = { $gte: start, $lt: start + spans.minute }
  let cells = openCells()
  let merged = false
  const add = (document: MongoDocument) => {
    const counted = countedOf(recordOf(document).parts)
    if (counted) cells.add(start, merged ? { ...counted.group, client: '' } : counted.group, counted.tally)
  }
  const each = async () => {
    for await (const document of requests.find({ 'end.at': range }, { projection: { first: 1, end: 1 }, batchSize: PAGE })) add(document)
    const reaped = requests.find({ 'reaped.at': range, end: null }, { projection: { first: 1, reaped: 1 }, batchSize: PAGE })
    for await (const document of reaped) add(document)
  }
  await each()
  if (cells.list().length > MAX_CELLS) {
    merged = true
    cells = openCells()
    await each()
  }
  return settled(cells.list())
}

/** As text, in the order of time. */
function idOf(start: number): string {
  return String(start).padStart(16, '0')
}

function within(from: number, to: number): { _id: { $gte: string; $lt: string } } {
  return { _id: { $gte: idOf(from), $lt: idOf(to) } }
}

function readCells({ cells }: MongoDocument): Cell[] {
  return typeof cells === 'string' ? (JSON.parse(cells) as Cell[]) : []
}
