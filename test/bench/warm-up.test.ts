import { expect, it } from 'vitest'
import { warmUp } from './warm-up.ts'

async function turns(costs: (turn: number) => number): Promise<number> {
  let count = 0
  await warmUp(async () => costs(count++))
  return count
}

it('ends when it has become no cheaper for four turns', async () => {
  expect(await turns((turn) => [100, 60, 40, 39, 41, 39, 40][turn] ?? 40)).toBe(7)
})

it('goes on while it becomes cheaper, after a dearer turn too', async () => {
  expect(await turns((turn) => [100, 120, 90, 95, 91, 60, 60, 60, 60, 60][turn] ?? 60)).toBe(10)
})

it('ends after thirty turns whatever comes', async () => {
  expect(await turns((turn) => 1000 * 0.9 ** turn)).toBe(30)
})
