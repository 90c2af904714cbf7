// Writes down what the services of this version say, and what they read: `npm run record:frames`. The version after this one is held to it.
// To be run when a version is published, or when `fw.v2` begins, never to make a failing test pass.

import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { readers } from './kinds.ts'
import { recordEverything } from './recording.ts'

const folder = join(import.meta.dirname, '../fixtures/frames-v1')
const MAX_BYTES = 16 * 1024

const messages = await recordEverything()
await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
for (const [kind, group] of Map.groupBy(messages, (message) => message.kind)) {
  // The one that says the most: fields that are not always there are then there. Bodies of hundreds of kilobytes teach nothing.
  const [richest] = group.filter(({ bytes }) => bytes.length <= MAX_BYTES).sort((a, b) => fieldsOf(b.bytes) - fieldsOf(a.bytes))
  const { bytes } = richest ?? { bytes: (group[0] as { bytes: Uint8Array }).bytes.slice(0, MAX_BYTES) }
  await writeFile(join(folder, `${kind}.bin`), bytes)
}
const schemas = Object.entries(readers).map(([kind, schema]) => [kind, z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })])
await writeFile(join(folder, 'readers.json'), `${JSON.stringify(Object.fromEntries(schemas), null, 1)}\n`)
process.stdout.write(`${Map.groupBy(messages, ({ kind }) => kind).size} kinds of ${messages.length} messages in ${folder}\n`)
process.exit()

function fieldsOf(bytes: Uint8Array): number {
  return new TextDecoder().decode(bytes).split('":').length
}
