import { expect, it } from 'vitest'
import { suggestions } from './suggest.ts'

const models = ['llama-3.1-8b-instant', 'llama-3.3-70b-versatile', 'gemma2-9b-it', 'whisper-large-v3', 'qwen/qwen3-32b']

it.each([
  ['llama-3.1-8b', 'llama-3.1-8b-instant'],
  ['LLAMA3.3-70b', 'llama-3.3-70b-versatile'],
  ['qwen3', 'qwen/qwen3-32b'],
])('%s may mean %s', (meant, first) => expect(suggestions(meant, models)[0]).toBe(first))

it('nothing like it is not suggested', () => expect(suggestions('zzz', models)).toEqual([]))

it('at most five are', () =>
  expect(
    suggestions(
      'model',
      Array.from({ length: 9 }, (_, i) => `model-${i}`),
    ),
  ).toHaveLength(5))
