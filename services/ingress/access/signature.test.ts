import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compilePattern } from './signature.ts'

it.each([
  ['curl*', 'curl/8.0', true],
  ['curl*', 'my curl', false],
  ['*python-requests/2.*', 'x Python-Requests/2.31', true],
  ['*bot', 'googlebot', true],
  ['bot', 'robotics', false],
  ['BOT', 'bot', true],
  ['*', '', true],
  ['a*a', 'a', false],
  ['a*a', 'aa', true],
  ['a*b*c', 'a-c-b-c', true],
  ['a*b*b', 'ab', false],
  ['**x**', 'yxz', true],
  ['a.c', 'abc', false],
  ['(a+)+$', '(a+)+$', true],
])('%s against %s: %s', (pattern, text, matches) => expect(compilePattern(pattern)(text)).toBe(matches))

it('says what a regular expression would say, were it safe', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  const texts = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 })
  fc.assert(
    fc.property(letters, texts, (pattern, text) => {
      expect(compilePattern(pattern)(text)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text))
    }),
  )
})

it('takes no longer for text made to be slow', () => {
  const matches = compilePattern(`${'*a'.repeat(99)}*b`)
  const startedMs = performance.now()
  for (let i = 0; i < 20; i++) expect(matches('a'.repeat(16_000))).toBe(false)
  expect(performance.now() - startedMs).toBeLessThan(1_000)
})
