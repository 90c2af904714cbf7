import { expect, it } from 'vitest'
import type { ChatBody } from '#contracts/job.ts'
import { answer } from './answer.ts'
import { withCache } from './prompt-cache.ts'

const long = (text: string) => `${text} `.repeat(400)
const cachedOf = (...contents: string[]) => {
  const body: ChatBody = { model: 'demo/chat', messages: contents.map((content) => ({ role: 'user', content })) }
  const { usage } = withCache(answer(body, 'demo/chat'), body)
  return (usage.prompt_tokens_details as { cached_tokens: number } | undefined)?.cached_tokens
}

it('a long beginning that was read before is cached, half of the prompt at most', () => {
  expect(cachedOf(long('archive'), 'one')).toBeUndefined()
  expect(cachedOf(long('archive'), 'two')).toBeGreaterThan(300)
  expect(cachedOf(long('another'), 'one')).toBeUndefined()
})

it('a growing conversation is cached as far as it was told', () => {
  cachedOf(long('talk'))
  const known = cachedOf(long('talk'), long('more'), long('and more')) as number
  expect(cachedOf(long('talk'), long('more'), long('else'))).toBeGreaterThan(known)
})

it('a short prompt is never cached', () => {
  cachedOf('Hi')
  expect(cachedOf('Hi')).toBeUndefined()
})
