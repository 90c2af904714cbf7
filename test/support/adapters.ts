// One suite for every adapter of the bus: in-process, and NATS once for each server version on this machine.

import { describe, test } from 'vitest'
import { type Harness, openMemoryHarness, openNatsHarness } from './backbones.ts'
import { natsBinaries } from './nats.ts'

export function describeAdapters(title: string, suite: (open: () => Promise<Harness>) => void): void {
  describe(`${title} in process`, () => suite(openMemoryHarness))
  const binaries = natsBinaries()
  for (const { name, binary } of binaries) describe(`${title} on ${name}`, () => suite(() => openNatsHarness(binary)))
  // So that the report counts what did not run.
  test.skipIf(binaries.length === 0)(`${title} found a nats-server to run on`, () => {})
}
