// As much of MongoDB's wire protocol as the driver and our adapter need, in memory, with a switch for each thing that goes wrong
// in a database. It shows what the adapter says and how it takes a failure; whether a real server agrees, only a real one shows.

import { Buffer } from 'node:buffer'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { BSON } from 'mongodb'

type Document = Record<string, unknown>

export interface MongoStandIn {
  readonly url: string
  /** By the name of the collection, then by `_id`. */
  readonly collections: Map<string, Map<string, Document>>
  /** Statements of inserts and updates that are refused from now on. */
  refuse(statement: (id: string) => boolean): void
  /** No longer listens, and cuts everybody off; what it holds it keeps. */
  stop(): Promise<void>
  start(): Promise<void>
}

const OP_REPLY = 1
const OP_QUERY = 2004
const OP_MSG = 2013
const hello = { ismaster: true, isWritablePrimary: true, maxBsonObjectSize: 2 ** 24, maxMessageSizeBytes: 48_000_000, ok: 1 }
const limits = { maxWriteBatchSize: 100_000, minWireVersion: 0, maxWireVersion: 21, localTime: new Date(0), readOnly: false }

export async function startMongoStandIn(): Promise<MongoStandIn> {
  const collections = new Map<string, Map<string, Document>>()
  const sockets = new Set<Socket>()
  const cursors = new Map<bigint, Document[]>()
  let refused: (id: string) => boolean = () => false
  let port = 0

  const server = createServer((socket) => {
    sockets.add(socket)
    let rest: Buffer = Buffer.alloc(0)
    socket.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data])
      while (rest.length >= 4 && rest.length >= rest.readInt32LE(0)) {
        const message = rest.subarray(0, rest.readInt32LE(0))
        rest = rest.subarray(message.length)
        const { id, opCode, command } = read(message)
        socket.write(write(id, opCode, answer(command)))
      }
    })
    // A client that is cut off in the midst of a command.
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })

  function answer(command: Document): Document {
    const [verb = '', name] = Object.entries(command)[0] ?? []
    const documents = collections.get(String(name)) ?? new Map<string, Document>()
    if (/^(hello|ismaster)$/i.test(verb)) return { ...hello, ...limits }
    if (verb === 'createIndexes' || verb === 'endSessions' || verb === 'killCursors' || verb === 'ping') return { ok: 1 }
    if (verb === 'buildInfo') return { version: '8.0.0', ok: 1 }
    if (verb === 'count') return { n: documents.size, ok: 1 }
    if (verb === 'update') {
      collections.set(String(name), documents)
      return update(documents, command.updates as Document[])
    }
    if (verb === 'insert') {
      collections.set(String(name), documents)
      return insert(documents, command.documents as Document[])
    }
    if (verb === 'find') {
      const found = [...documents.values()].filter((document) => matches(document, command.filter as Document))
      const sorted = found.sort(orderOf((command.sort ?? {}) as Record<string, number>)).slice(0, Number(command.limit ?? 0) || undefined)
      return page(`db.${name}`, sorted, Number(command.batchSize ?? 101), 'firstBatch')
    }
    if (verb === 'delete') {
      const doomed = (command.deletes as Document[]).flatMap(({ q }) =>
        [...documents.values()].filter((one) => matches(one, q as Document)),
      )
      for (const { _id } of doomed) documents.delete(String(_id))
      return { ok: 1, n: doomed.length }
    }
    if (verb === 'getMore') {
      const rest = cursors.get(BigInt(String(name))) ?? []
      return page(`db.${command.collection}`, rest, Number(command.batchSize ?? 101), 'nextBatch')
    }
    return { ok: 0, code: 59, codeName: 'CommandNotFound', errmsg: `no such command: ${verb}` }
  }

  function insert(documents: Map<string, Document>, inserted: Document[]): Document {
    const writeErrors: Document[] = []
    inserted.forEach((document, index) => {
      const id = String(document._id)
      if (refused(id)) writeErrors.push({ index, code: 14031, errmsg: 'no space left' })
      else if (documents.has(id)) writeErrors.push({ index, code: 11000, errmsg: 'duplicate key' })
      else documents.set(id, document)
    })
    return { n: inserted.length - writeErrors.length, ...(writeErrors.length ? { writeErrors } : {}), ok: 1 }
  }

  function update(documents: Map<string, Document>, updates: Document[]): Document {
    const writeErrors: Document[] = []
    const upserted: Document[] = []
    updates.forEach(({ q, u, upsert }, index) => {
      const id = String((q as Document)._id)
      if (refused(id)) {
        writeErrors.push({ index, code: 14031, errmsg: 'no space left' })
        return
      }
      const known = documents.get(id)
      if (known ? !matches(known, q as Document) : !upsert) return
      const document = known ?? { _id: id }
      if (!known) upserted.push({ index, _id: id })
      documents.set(id, document)
      const { $set = {}, $min = {}, $setOnInsert = {}, ...unknown } = u as Record<string, Document>
      if (Object.keys(unknown).length > 0) writeErrors.push({ index, code: 9, errmsg: `unknown operator ${Object.keys(unknown)}` })
      if (!known) Object.assign(document, $setOnInsert)
      for (const [path, value] of Object.entries($set)) set(document, path.split('.'), value)
      for (const [field, value] of Object.entries($min)) {
        if (document[field] === undefined || (document[field] as number) > (value as number)) document[field] = value
      }
    })
    return { n: updates.length - writeErrors.length, nModified: 0, upserted, ...(writeErrors.length ? { writeErrors } : {}), ok: 1 }
  }

  function page(ns: string, found: Document[], size: number, field: string): Document {
    const rest = found.slice(size)
    const id = rest.length > 0 ? BigInt(cursors.size + 1) : 0n
    if (rest.length > 0) cursors.set(id, rest)
    return { cursor: { id: BSON.Long.fromBigInt(id), ns, [field]: found.slice(0, size) }, ok: 1 }
  }

  async function start(): Promise<void> {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as { port: number }).port
  }

  await start()
  return {
    url: `mongodb://127.0.0.1:${port}/freeway`,
    collections,
    refuse(statement) {
      refused = statement
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
    start,
  }
}

/** A field below others that may be missing. */
function set(document: Document, [field = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) document[field] = value
  else {
    document[field] ??= {}
    set(document[field] as Document, rest, value)
  }
}

function at(document: Document, path: string): unknown {
  return path.split('.').reduce<unknown>((value, field) => (value as Document | undefined)?.[field], document)
}

type Condition = Record<'$gte' | '$gt' | '$lt', number> & { $in?: unknown[] }

/** Equality (nothing equals null), `$in`, `$or`, `$and`, and ranges, which hold only values of their own type. */
function matches(document: Document, filter: Document): boolean {
  return Object.entries(filter).every(([field, condition]) => {
    if (field === '$or') return (condition as Document[]).some((each) => matches(document, each))
    if (field === '$and') return (condition as Document[]).every((each) => matches(document, each))
    const value = at(document, field)
    if (!(condition instanceof Object) || condition instanceof Date) return same(value, condition)
    const { $gte, $gt, $lt, $in } = condition as Condition
    if ($in) return $in.includes(value)
    const bound = $gte ?? $gt ?? $lt
    if (typeof value !== typeof bound || value === null) return false
    const number = value as number
    return !(number < $gte) && !(number <= $gt) && !(number >= $lt)
  })
}

function same(value: unknown, other: unknown): boolean {
  return value instanceof Date && other instanceof Date ? value.getTime() === other.getTime() : (value ?? null) === other
}

function orderOf(sort: Record<string, number>) {
  return (one: Document, other: Document): number => {
    for (const [path, direction] of Object.entries(sort)) {
      const [a, b] = [at(one, path) as number, at(other, path) as number]
      if (a < b) return -direction
      if (a > b) return direction
    }
    return 0
  }
}

function read(message: Buffer): { id: number; opCode: number; command: Document } {
  const id = message.readInt32LE(4)
  const opCode = message.readInt32LE(12)
  if (opCode === OP_QUERY) return { id, opCode, command: BSON.deserialize(message.subarray(message.indexOf(0, 20) + 9)) }
  if (opCode !== OP_MSG) throw new Error(`operation ${opCode} is not spoken here`)
  let command: Document = {}
  const sequences: Record<string, Document[]> = {}
  for (let at = 20; at < message.length; ) {
    const kind = message[at]
    const size = message.readInt32LE(at + 1)
    const section = message.subarray(at + 1, at + 1 + size)
    at += 1 + size
    if (kind === 0) command = BSON.deserialize(section)
    else {
      const nameEnd = section.indexOf(0, 4)
      sequences[section.toString('utf8', 4, nameEnd)] = documentsIn(section.subarray(nameEnd + 1))
    }
  }
  return { id, opCode, command: { ...command, ...sequences } }
}

function documentsIn(bytes: Buffer): Document[] {
  const documents: Document[] = []
  for (let at = 0; at < bytes.length; at += bytes.readInt32LE(at)) {
    documents.push(BSON.deserialize(bytes.subarray(at, at + bytes.readInt32LE(at))))
  }
  return documents
}

function write(to: number, opCode: number, answer: Document): Buffer {
  const body = BSON.serialize(answer)
  const head = Buffer.alloc(opCode === OP_QUERY ? 36 : 21)
  head.writeInt32LE(head.length + body.length, 0)
  head.writeInt32LE(to, 8)
  head.writeInt32LE(opCode === OP_QUERY ? OP_REPLY : OP_MSG, 12)
  if (opCode === OP_QUERY) head.writeInt32LE(1, 32)
  return Buffer.concat([head, body])
}
