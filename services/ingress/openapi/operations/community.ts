// Sign-up, check-in and reset, for gateways that a community shares.

import { z } from 'zod'
import { answerForm, resetForm, signUpForm, vouched } from '../../members/forms.ts'
import { gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'
import { created, issued } from './clients.ts'

const tag = 'Community'
const challenge = given('Challenge', z.object({ id: z.string(), question: z.string(), expires_at: z.number().describe('Unix seconds.') }))
const example = { id: 'k3X0c9…', question: 'What is seven plus five?', expires_at: 1_790_000_300 }
const answered = { challenge_id: 'Of a challenge that has not been answered.', answer: 'To its question.' }
const ofAdmin = { owner: 'Whom the admin vouches for; sent with the admin token only.', name: 'Of the key.' }
const answer = { challenge_id: 'k3X0c9', answer: '12' }
const askFor = {
  path: '/api/challenge',
  tag,
  summary: 'Ask for a challenge',
  description: 'A question that a person answers; good for one answer. 404 where nothing asks for one.',
  errors: [403, 404, 429],
} as const

export const communityOperations: Operation[] = [
  { method: 'GET', id: 'getChallenge', ...askFor, errors: [...askFor.errors], answers: gives('The challenge.', challenge, example) },
  {
    method: 'POST',
    id: 'createChallenge',
    ...askFor,
    errors: [...askFor.errors],
    answers: { 201: { about: 'The challenge.', content: json(challenge, example) } },
  },
  {
    method: 'POST',
    path: '/api/signup',
    id: 'signUp',
    tag,
    summary: 'Sign up',
    description:
      'By oneself where the gateway is open to all; else by an admin, or a bot that has the admin token, who vouches for the owner.',
    errors: [401, 403, 404, 409, 429, 503],
    body: {
      content: json(
        taken('SignUpForm', signUpForm.extend(vouched.shape), {
          ...answered,
          ...ofAdmin,
          use_case: 'What the key is for, in a sentence.',
          bot_disclosure: 'Whether a bot will use the key, and which.',
        }),
        { ...answer, use_case: 'Summaries of papers for my thesis.', bot_disclosure: 'no' },
      ),
    },
    answers: created('The client and its key, which is never shown again.', issued),
  },
  {
    method: 'POST',
    path: '/api/checkin',
    id: 'checkIn',
    tag,
    summary: 'Check in',
    description: 'Once per UTC day, where the gateway asks for it.',
    errors: [404, 409, 503],
    body: { content: json(taken('CheckIn', answerForm, answered), answer) },
    answers: gives('Until when it is good.', z.object({ checked_in: z.string(), valid_until: z.number() }), {
      checked_in: '2026-11-21',
      valid_until: 1_795_305_600,
    }),
  },
  {
    method: 'POST',
    path: '/api/resetkey',
    id: 'resetKey',
    tag,
    summary: 'Replace a key',
    description: 'The old one dies; limits and history stay.',
    errors: [404, 409, 503],
    body: {
      content: json(taken('ResetForm', resetForm.extend(vouched.shape), { ...answered, ...ofAdmin, reason: 'Why, in a sentence.' }), {
        ...answer,
        reason: 'It stood in a public repository.',
      }),
    },
    answers: gives('The client and its new key, which is never shown again.', issued),
  },
  {
    method: 'POST',
    path: '/discord/interactions',
    id: 'discordInteraction',
    tag,
    summary: 'What Discord sends',
    description: "Set as the application's interactions endpoint. Discord signs its requests; nobody else need call this.",
    errors: [401],
    body: { content: json(z.looseObject({ type: z.int() }), { type: 1 }) },
    answers: gives('As Discord wants it.', z.looseObject({ type: z.int() }), { type: 1 }),
  },
]
