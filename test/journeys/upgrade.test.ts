// Services of today beside those of the recorded version: everything that today's say over the bus is what the older ones read.

import { expect, it } from 'vitest'
import { binaryKinds, headOf } from '#test/frames/kinds.ts'
import { recordedReaders } from '#test/frames/recorded.ts'
import { recordEverything } from '#test/frames/recording.ts'
import { natsBinaries } from '#test/support/nats.ts'

it.skipIf(natsBinaries().length === 0)('what services of today say is understood by those of the recorded version', async () => {
  const readers = recordedReaders()
  const messages = await recordEverything()
  const faults = messages.flatMap(({ kind, bytes }) => {
    // Of a kind that is new since then the older ones hear nothing that they wait for.
    const reader = readers.get(kind)
    if (!reader || (binaryKinds as readonly string[]).includes(kind)) return []
    const { error } = reader.safeParse(JSON.parse(headOf(bytes)))
    return error ? [`${kind}: ${error.message}`] : []
  })
  expect(faults).toEqual([])
  expect(new Set(messages.map(({ kind }) => kind)).size).toBeGreaterThan(20)
})
