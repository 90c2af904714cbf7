import { expect, test } from 'vitest'
import { CallLimit } from './limit.ts'

const refusal = (limit: CallLimit, model: string, rpm: number, nowMs: number) => {
  try {
    limit.admit(model, rpm, nowMs)
    return undefined
  } catch (error) {
    return error
  }
}

test('so many calls within any 60 seconds, each model by itself, and the wait is exact', () => {
  const limit = new CallLimit()
  expect([0, 30_000].map((at) => refusal(limit, 'a', 2, at))).toEqual([undefined, undefined])
  expect(refusal(limit, 'a', 2, 59_000)).toMatchObject({ status: 429, type: 'rate_limit_error', retryAfterMs: 1_000 })
  expect(refusal(limit, 'b', 2, 59_000)).toBeUndefined()
  expect(refusal(limit, 'a', 2, 60_000)).toBeUndefined()
  expect(refusal(limit, 'a', 2, 60_001)).toMatchObject({ retryAfterMs: 29_999 })
  limit.clear()
  expect(refusal(limit, 'a', 2, 60_002)).toBeUndefined()
})

test('a limit of none lets nobody in', () => {
  expect(refusal(new CallLimit(), 'a', 0, 5)).toMatchObject({ retryAfterMs: 60_000 })
})
