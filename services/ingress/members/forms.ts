// Pure. What members fill in, over HTTP and at Discord alike, and how it is refused.

import { z } from 'zod'
import { accountName, owner } from '#contracts/account.ts'

/** Of a form that anybody may send. */
export const MAX_FORM_BYTES = 128 * 1024
const MIN_CHARACTERS = 12
const MIN_LETTERS = 5

/** A sentence of a person, as far as a gateway can tell: no `asdf`, no `xxxxxxxxxxxxx`. */
const sentence = z
  .string()
  .trim()
  .min(MIN_CHARACTERS, `expected a sentence of at least ${MIN_CHARACTERS} characters`)
  .max(500, 'expected at most 500 characters')
  .refine(isSentence, 'expected a sentence in words')

/** Also in scripts that put no blanks between words. */
function isSentence(text: string): boolean {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
  const letters = new Set(words.join(''))
  return letters.size >= MIN_LETTERS && (new Set(words).size >= 2 || /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Thai}]/u.test(text))
}

export const answerForm = z.object({
  challenge_id: z.string().max(100),
  answer: z.string().max(100),
})

export const signUpForm = answerForm.extend({
  /** What the key is for. */
  use_case: sentence,
  /** Whether a bot will use the key, and which. */
  bot_disclosure: z
    .string()
    .trim()
    .min(2, 'say whether a bot will use the key, and which: "no" will do')
    .max(500, 'expected at most 500 characters'),
})
export type SignUpForm = z.infer<typeof signUpForm>

export const resetForm = answerForm.extend({
  /** Why the key has to be replaced. */
  reason: sentence,
})
export type ResetForm = z.infer<typeof resetForm>

export type AnswerForm = z.infer<typeof answerForm>

/** Whom an admin vouches for. */
export const vouched = z.object({ owner: owner.optional(), name: accountName.optional() })
