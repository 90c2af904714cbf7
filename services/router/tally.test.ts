import { expect, it } from 'vitest'
import { createTally, tallySnapshot } from './tally.ts'

const noon = Date.UTC(2026, 4, 5, 12)
const used = { in: 10, out: 20 }

it('counts requests and tokens of the UTC day, and requests of the minute', () => {
  const tally = createTally()
  tally.count('groq', 'r1.1', used, noon)
  tally.count('groq', 'r2.1', used, noon + 61_000)
  tally.count('gemini', 'r3.1', used, noon)
  expect(tally.of('groq', noon + 61_000)).toEqual({ requests_today: 2, requests_this_minute: 1, tokens_today: 60 })
  expect(tally.of('groq', noon + 130_000)).toEqual({ requests_today: 2, requests_this_minute: 0, tokens_today: 60 })
  expect(tally.of('groq', noon + 43_200_000)).toEqual({ requests_today: 0, requests_this_minute: 0, tokens_today: 0 })
  expect(tally.of('nobody', noon)).toEqual({ requests_today: 0, requests_this_minute: 0, tokens_today: 0 })
})

it('counts what is told again only once', () => {
  const tally = createTally()
  for (let i = 0; i < 3; i++) tally.count('groq', 'r1.1', used, noon)
  expect(tally.of('groq', noon).requests_today).toBe(1)
})

it('begins a day anew', () => {
  const tally = createTally()
  tally.count('groq', 'r1.1', used, noon)
  tally.count('groq', 'r2.1', used, noon + 86_400_000)
  expect(tally.of('groq', noon + 86_400_000)).toEqual({ requests_today: 1, requests_this_minute: 1, tokens_today: 30 })
})

it('goes on where another one ended', () => {
  const tally = createTally()
  tally.count('groq', 'r1.1', used, noon)
  const next = createTally(tallySnapshot.parse(JSON.parse(JSON.stringify(tally.snapshot()))))
  next.count('groq', 'r2.1', used, noon)
  expect(next.of('groq', noon)).toEqual({ requests_today: 2, requests_this_minute: 2, tokens_today: 60 })
})
