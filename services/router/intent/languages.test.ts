// Languages of which the training data has little or nothing: three kinds of prompts in more than fifty, written for this test.

import { expect, it } from 'vitest'
import prompts from '#test/fixtures/intent-prompts.json' with { type: 'json' }
import { classify } from './intent.ts'

const all = Object.entries(prompts).flatMap(([label, languages]) =>
  Object.entries(languages as Record<string, string[]>).flatMap(([language, texts]) => texts.map((text) => ({ label, language, text }))),
)
const wrong = all.filter(({ label, text }) => classify(text).label !== label)

it('nineteen of twenty prompts are understood', () => {
  expect(new Set(all.map(({ language }) => language)).size).toBeGreaterThan(50)
  expect(all.length).toBeGreaterThan(200)
  expect(wrong.length / all.length, wrong.map(({ label, text }) => `${label}: ${text}`).join('\n')).toBeLessThan(0.05)
})

it('no language has its prompts mostly misunderstood', () => {
  for (const [language, of] of Map.groupBy(all, (one) => one.language)) {
    expect([language, wrong.filter((one) => one.language === language).length / of.length]).toEqual([
      language,
      expect.toSatisfy((share: number) => share < 0.5),
    ])
  }
})
