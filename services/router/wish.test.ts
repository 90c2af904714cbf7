import { expect, it } from 'vitest'
import { utf8 } from '#contracts/bytes.ts'
import { wishOf } from './wish.ts'

const asking = (content: string) => utf8(JSON.stringify({ messages: [{ role: 'user', content }] }))
const code = asking('Write a Python function that merges two sorted lists, with unit tests.')

it.each([
  ['is read from the prompt if no model is named', {}, code, 'code'],
  ['likewise for auto', { model: 'freeway-auto' }, code, 'code'],
  ['is general for small talk', {}, asking('Good morning! How was your weekend?'), 'general'],
  ['is what the virtual model says', { model: 'freeai-reasoning' }, code, 'reasoning'],
  ["is nobody else's business if a model is named", { model: 'groq/llama' }, code, undefined],
  ['nor if another virtual model is', { model: 'freeai-fast' }, code, undefined],
  ['nor if a strategy is', { strategy: 'quality' }, code, undefined],
  ['is not looked for in what is no chat', { kind: 'transcription' }, utf8('--boundary'), undefined],
  ['is not known for a body that stays behind', {}, undefined, undefined],
  ['is not looked for in a very long conversation', {}, asking('Write a Python function. '.repeat(10_000)), undefined],
] as const)('what a job wants %s', (_, job, body, wish) => expect(wishOf({ kind: 'chat', ...job }, body)).toBe(wish))
