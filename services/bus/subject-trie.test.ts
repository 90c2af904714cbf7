import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matches, SubjectTrie } from './subject-trie.ts'

const token = fc.constantFrom('a', 'b', 'c')
const subject = fc.array(token, { minLength: 1, maxLength: 5 }).map((tokens) => tokens.join('.'))
const pattern = fc
  .tuple(fc.array(fc.oneof(token, fc.constant('*')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([tokens, rest]) => (rest ? [...tokens, '>'] : tokens).join('.'))

test('the trie finds exactly the patterns that match', () => {
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 20 }), subject, (patterns, wanted) => {
      const trie = new SubjectTrie<string>()
      for (const each of patterns) trie.add(each, each)
      expect(trie.match(wanted).toSorted()).toEqual(patterns.filter((each) => matches(each, wanted)).toSorted())
    }),
  )
})

test('what was removed is found no more, and what remains still is', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(pattern, { maxLength: 12 }),
      fc.uniqueArray(pattern, { maxLength: 12 }),
      subject,
      (removed, kept, wanted) => {
        const trie = new SubjectTrie<string>()
        for (const each of [...removed, ...kept]) trie.add(each, each)
        for (const each of removed) trie.remove(each, each)
        expect(trie.match(wanted).toSorted()).toEqual(kept.filter((each) => matches(each, wanted)).toSorted())
      },
    ),
  )
})
