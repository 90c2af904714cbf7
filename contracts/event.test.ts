import fc from 'fast-check'
import { expect, it } from 'vitest'
import { event, isEvent } from './event.ts'

const value = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.constant(undefined), fc.constant({}))
const text = fc.string({ maxLength: 5 })
const common = { id: text, at: fc.integer(), request: text }
const fact = fc.oneof(
  fc.record(
    {
      ...common,
      name: fc.constant('req.start'),
      model: fc.option(text),
      stream: fc.boolean(),
      granted: fc.oneof(value, fc.record({ n: fc.oneof(fc.nat(), value), provider: text, worker: text, at: fc.integer() })),
    },
    { requiredKeys: ['id', 'at', 'request', 'name', 'model', 'stream'] },
  ),
  fc.record({ ...common, name: fc.constant('att.granted'), n: fc.nat(9), provider: text, worker: text }),
  fc.record({
    ...common,
    name: fc.constant('att.end'),
    n: fc.nat(9),
    provider: text,
    model: text,
    result: text,
    sent: fc.boolean(),
    in: fc.nat(),
    out: fc.nat(),
    ttfb_ms: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    duration_ms: fc.nat(),
  }),
  fc.record({
    ...common,
    name: fc.constant('req.end'),
    outcome: text,
    status: fc.nat(600),
    provider: fc.option(text),
    model: fc.option(text),
    attempts: fc.nat(5),
    in: fc.nat(),
    out: fc.nat(),
    duration_ms: fc.nat(),
  }),
  fc.record({ id: text, at: fc.integer(), name: fc.constant('drop.count'), instance: text, dropped: fc.nat() }),
)
const fields = [
  'id',
  'at',
  'name',
  'request',
  'n',
  'model',
  'ttfb_ms',
  'status',
  'stream',
  'client',
  'strategy',
  'asked',
  'trace',
  'sent',
  'in',
]

it('what is a fact to the schema is one to the quick look, whatever a field holds, and nothing else is', () => {
  let good = 0
  fc.assert(
    fc.property(fact, fc.option(fc.tuple(fc.constantFrom(...fields), value)), (made, change) => {
      const said: Record<string, unknown> = change ? { ...made, [change[0]]: change[1] } : made
      const expected = event.safeParse(said).success
      if (expected) good++
      expect(isEvent(said)).toBe(expected)
    }),
    { numRuns: 2_000 },
  )
  // Both answers came often.
  expect(good).toBeGreaterThan(500)
  expect(good).toBeLessThan(2_000)
})

it.each([null, undefined, 1, 'req.start', [], {}, { name: 'of.tomorrow' }])('%j is none', (none) => {
  expect(isEvent(none)).toBe(false)
})
