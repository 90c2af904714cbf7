import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { LiveEvent } from '#contracts/live.ts'
import type { ProviderStatus } from '#contracts/router-question.ts'
import { watchRests } from './rests.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval'] }))
afterEach(() => void vi.useRealTimers())

const status = (name: string, cooldowns: object[]) => ({ name, cooldowns }) as unknown as ProviderStatus
const rest = { reason: 'rate_limit', ends_in_ms: 5_000, ends_at: '' }

it('a rest is told when it begins and when it is over; a router that does not answer says nothing', async () => {
  const told: LiveEvent[] = []
  const answers: (ProviderStatus[] | Error)[] = [
    [status('alpha', [])],
    [status('alpha', [{ ...rest, account: 'a1' }]), status('beta', [rest])],
    new Error('no router'),
    [status('alpha', []), status('beta', [rest])],
  ]
  const rests = watchRests(
    async () => {
      const answer = answers.shift()
      if (!Array.isArray(answer)) throw answer
      return answer
    },
    (event) => told.push(event),
  )
  rests.start()
  for (let i = 0; i < 4; i++) {
    await new Promise(setImmediate)
    vi.advanceTimersByTime(3_000)
  }
  await new Promise(setImmediate)
  expect(told).toMatchObject([
    { event: 'provider_resting', provider: 'alpha', account: 'a1', reason: 'rate_limit', ends_in_ms: 5_000 },
    { event: 'provider_resting', provider: 'beta' },
    { event: 'provider_back', provider: 'alpha', account: 'a1' },
  ])
  expect(rests.current).toMatchObject([{ provider: 'beta' }])
  rests.stop()
  expect(rests.current).toEqual([])
})
