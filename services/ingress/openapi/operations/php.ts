// Routes of FreeLLMAPI, whose clients expect them to the letter.

import { z } from 'zod'
import type { Stats } from '#contracts/question.ts'
import type { PhpModel } from '../../catalog/php-models.ts'
import { EVENTS_TYPE, gives, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'
import { completion } from './chat.ts'

const tag = 'FreeLLMAPI compatibility'

export const phpOperations: Operation[] = [
  {
    method: 'POST',
    path: '/api/chat.php',
    id: 'phpChat',
    tag,
    summary: 'Chat',
    description: 'Streams unless it is told not to.',
    inference: true,
    body: {
      content: json(
        taken(
          'PhpChatRequest',
          z.looseObject({
            messages: z.array(z.looseObject({ role: z.string(), content: z.unknown() })).min(1),
            model_id: z.union([z.int(), z.string()]).nullish(),
            stream: z.boolean().nullish(),
            temperature: z.number().min(0).max(2).nullish(),
            max_tokens: z.int().min(1).nullish(),
          }),
          {
            model_id: 'The `id` of `GET /api/models.php`, or a name; null: freeway chooses.',
            stream: 'Default true.',
            temperature: 'Default 0.7.',
            max_tokens: 'Default 1024.',
          },
        ),
        { messages: [{ role: 'user', content: 'Say hello.' }], model_id: null },
      ),
    },
    answers: {
      200: {
        about: 'Chunks that end with `data: [DONE]`, or the completion if `stream` is false.',
        content: {
          [EVENTS_TYPE]: {
            schema: given(
              'PhpChunk',
              z.looseObject({ choices: z.array(z.looseObject({ delta: z.looseObject({ content: z.string().nullish() }) })) }),
            ),
            example: { choices: [{ delta: { content: 'Hello' } }] },
          },
          ...json(completion),
        },
      },
    },
  },
  {
    method: 'GET',
    path: '/api/models.php',
    id: 'phpModels',
    tag,
    summary: 'List models',
    answers: gives(
      'The models for chat.',
      z.array(
        given(
          'PhpModel',
          z.object({
            id: z.int().describe('To be sent as `model_id`; stable for ever.'),
            platform: z.string(),
            model_id: z.string(),
            display_name: z.string(),
            intelligence_rank: z.number().describe('1 is best.'),
            speed_rank: z.number().describe('1 is best.'),
            size_label: z.string().nullable(),
            rpm_limit: z.int().nullable(),
            tpm_limit: z.int().nullable(),
            context_window: z.int(),
            enabled: z.literal(true),
          }) satisfies z.ZodType<PhpModel>,
        ),
      ),
    ),
  },
  {
    method: 'GET',
    path: '/api/stats.php',
    id: 'phpStats',
    tag,
    summary: 'Statistics of today',
    errors: [503],
    answers: gives(
      'Since midnight UTC.',
      given(
        'PhpStats',
        z.object({
          requests_today: z.int(),
          tokens_used: z.int(),
          avg_latency: z.number().describe('Milliseconds.'),
          success_rate: z.number().describe('0 to 1.'),
          active_providers: z.int(),
        }) satisfies z.ZodType<Stats>,
      ),
      { requests_today: 1200, tokens_used: 840_000, avg_latency: 640, success_rate: 0.99, active_providers: 7 },
    ),
  },
]
