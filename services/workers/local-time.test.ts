import { expect, it } from 'vitest'
import { toInstant } from './local-time.ts'

it.each([
  ['Asia/Shanghai', '2026-11-21T18:00:00', '2026-11-21T10:00:00Z'],
  ['UTC', '2026-11-21T18:00:00', '2026-11-21T18:00:00Z'],
  ['America/Los_Angeles', '2026-11-21T00:00:00', '2026-11-21T08:00:00Z'],
  // Just after the clocks went forward, and just before.
  ['America/Los_Angeles', '2026-03-08T03:30:00', '2026-03-08T10:30:00Z'],
  ['America/Los_Angeles', '2026-03-08T01:30:00', '2026-03-08T09:30:00Z'],
])('in %s %s is %s', (zone, local, instant) => expect(toInstant(zone, Date.parse(`${local}Z`))).toBe(Date.parse(instant)))
