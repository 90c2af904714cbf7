// What services of the recorded version said, and what they read.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const folder = join(import.meta.dirname, '../fixtures/frames-v1')

export function recordedMessages(): { kind: string; bytes: Uint8Array }[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.bin'))
    .map((file) => ({ kind: file.slice(0, -'.bin'.length), bytes: new Uint8Array(readFileSync(join(folder, file))) }))
}

/** By kind: what that version takes for well-formed. Fields that it does not know are no fault. */
export function recordedReaders(): Map<string, z.ZodType> {
  const schemas = JSON.parse(readFileSync(join(folder, 'readers.json'), 'utf8')) as Record<string, Parameters<typeof z.fromJSONSchema>[0]>
  return new Map(Object.entries(schemas).map(([kind, schema]) => [kind, z.fromJSONSchema(schema)]))
}
