import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answerOf } from '#test/support/human.ts'
import { ask, diceOf, isRight, questionKinds } from './challenge.ts'

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe.each(Object.entries(questionKinds))('%s', (_, kind) => {
  it('is understood by whoever reads it, has one answer, and fits beside a field', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const question = kind(diceOf(seed))
        expect(isRight(question, answerOf(question.text)), question.text).toBe(true)
        expect(question.answers).toHaveLength(1)
        expect(question.text.length).toBeLessThanOrEqual(100)
      }),
      { numRuns: 500 },
    )
  })

  it('asks many different things', () => {
    const asked = new Set(fc.sample(seeds, 300).map((seed) => kind(diceOf(seed)).text))
    expect(asked.size).toBeGreaterThan(50)
  })
})

describe('a question', () => {
  it('is of every kind in turn', () => {
    const beginnings = fc.sample(seeds, 500).map((seed) => ask(diceOf(seed)).text.split(' ').slice(0, 3).join(' '))
    expect(new Set(beginnings).size).toBeGreaterThanOrEqual(8)
  })

  it('is the same for the same chance', () => {
    fc.assert(fc.property(seeds, (seed) => void expect(ask(diceOf(seed))).toEqual(ask(diceOf(seed)))))
  })

  it('is not answered by one answer for all', () => {
    const questions = fc.sample(seeds, 1_000).map((seed) => ask(diceOf(seed)))
    const counts = Map.groupBy(questions, ({ answers }) => answers[0])
    expect(Math.max(...[...counts.values()].map(({ length }) => length))).toBeLessThan(100)
  })
})

describe('an answer', () => {
  it.each(['21', ' 21 ', '21.', 'twenty-one', 'Twenty one', '"TWENTY-ONE!"'])('may be typed as %j', (answer) => {
    expect(isRight({ text: '', answers: ['21'] }, answer)).toBe(true)
  })

  it.each(['pr', 'p r', 'P, R', '"p" and "r"'])('of two letters may be typed as %j', (answer) => {
    expect(isRight({ text: '', answers: ['pr'] }, answer)).toBe(true)
  })

  it.each(['', '2', '12', '211', 'twenty', 'one', '21 or 22', '21,22'])('is not right as %j', (answer) => {
    expect(isRight({ text: '', answers: ['21'] }, answer)).toBe(false)
  })
})
