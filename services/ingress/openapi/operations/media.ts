// Embeddings, legacy completions and pictures.

import { z } from 'zod'
import { EVENTS_TYPE, gives, JSON_TYPE, json, type Operation } from '../operation.ts'
import { given, taken } from '../schemas.ts'

const tag = 'Media'
export const MODEL = 'A name of `GET /v1/models` that can do this. Without it, freeway chooses.'
export const choice = {
  model: z.string().nullish(),
  strategy: z.string().nullish(),
  preferred_provider: z.string().nullish(),
  fallback: z.boolean().nullish(),
}
export const ofChoice = {
  model: MODEL,
  strategy: 'How a provider is chosen.',
  preferred_provider: "Raises this provider's rank; does not exclude others.",
  fallback: 'false: one attempt.',
}
const file = z.file()
const tokens = z.array(z.int().min(0))

const embeddings = taken(
  'EmbeddingsRequest',
  z.looseObject({
    ...choice,
    input: z.union([z.string(), z.array(z.string()), tokens, z.array(tokens)]),
    encoding_format: z.enum(['float', 'base64']).nullish(),
    dimensions: z.int().min(1).nullish(),
    user: z.string().nullish(),
  }),
  {
    ...ofChoice,
    input: 'A text, texts, or their tokens.',
    encoding_format: 'Default `float`.',
    dimensions: 'Honoured or refused, never ignored.',
  },
)
const completionRequest = taken(
  'CompletionRequest',
  z.looseObject({
    ...choice,
    prompt: z.union([z.string(), z.array(z.string())]),
    suffix: z.string().nullish(),
    max_tokens: z.int().min(1).nullish(),
    temperature: z.number().min(0).max(2).nullish(),
    top_p: z.number().min(0).max(1).nullish(),
    n: z.int().min(1).max(128).nullish(),
    stop: z.union([z.string(), z.array(z.string())]).nullish(),
    logprobs: z.int().min(0).max(5).nullish(),
    stream: z.boolean().nullish(),
    stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
    echo: z.boolean().nullish(),
  }),
  {
    ...ofChoice,
    prompt: 'A text, or up to 128; each of several counts as a request.',
    suffix: 'What stands after the answer: the model is asked to lead over to it.',
    stream_options: '`include_usage`: a last chunk with token counts.',
    echo: 'Begin the answer with the prompt.',
  },
)
const completion = given(
  'TextCompletion',
  z.looseObject({
    id: z.string(),
    object: z.literal('text_completion'),
    created: z.int(),
    model: z.string(),
    choices: z.array(z.looseObject({ text: z.string(), index: z.int(), logprobs: z.unknown(), finish_reason: z.string().nullable() })),
    usage: z.looseObject({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() }).nullish(),
  }),
)
const images = given(
  'Images',
  z.looseObject({ created: z.int(), data: z.array(z.looseObject({ b64_json: z.string().optional(), url: z.string().optional() })) }),
)
const ofImage = {
  ...choice,
  prompt: z.string().max(32_000),
  n: z.int().min(1).max(10).nullish(),
  size: z.string().nullish(),
  response_format: z.enum(['url', 'b64_json']).nullish(),
  stream: z.boolean().nullish(),
}
const imageNotes = {
  ...ofChoice,
  size: 'Width and height, e.g. `1024x1024`.',
  response_format: 'A picture that comes as bytes is a data URL as `url`.',
  stream: 'Each picture as an event, once all are made.',
}
const ofPictures = {
  200: {
    about: 'The pictures; as events if `stream` is true.',
    content: {
      ...json(images),
      [EVENTS_TYPE]: { schema: z.looseObject({ type: z.string().describe('`image_generation.completed` or `image_edit.completed`.') }) },
    },
  },
}
const DATA_URL = 'data:image/png;base64,iVBORw0KGgo='

export const mediaOperations: Operation[] = [
  {
    method: 'POST',
    path: '/v1/embeddings',
    id: 'createEmbedding',
    tag,
    summary: 'Embeddings',
    description: 'Fails over only between providers of the very same model: vectors of different models do not compare.',
    inference: true,
    body: { content: json(embeddings, { input: 'The quick brown fox' }) },
    answers: gives(
      'One vector for each input, in their order.',
      given(
        'Embeddings',
        z.looseObject({
          object: z.literal('list'),
          data: z.array(
            z.looseObject({ object: z.literal('embedding'), index: z.int(), embedding: z.union([z.array(z.number()), z.string()]) }),
          ),
          model: z.string(),
          usage: z.looseObject({ prompt_tokens: z.int(), total_tokens: z.int() }),
        }),
      ),
    ),
  },
  {
    method: 'POST',
    path: '/v1/completions',
    id: 'createCompletion',
    tag: 'Chat',
    summary: 'Text completion',
    description: 'The format before chat completions, answered by models that chat.',
    inference: true,
    body: { content: json(completionRequest, { prompt: 'Once upon a time', max_tokens: 32 }) },
    answers: {
      200: {
        about: 'The completion, or its chunks if `stream` is true.',
        content: { ...json(completion), [EVENTS_TYPE]: { schema: completion } },
      },
    },
  },
  {
    method: 'POST',
    path: '/v1/images/generations',
    id: 'createImage',
    tag,
    summary: 'Make pictures',
    inference: true,
    body: { content: json(taken('ImageRequest', z.looseObject(ofImage), imageNotes), { prompt: 'A lighthouse at dusk' }) },
    answers: ofPictures,
  },
  {
    method: 'POST',
    path: '/v1/images/edits',
    id: 'editImage',
    tag,
    summary: 'Change pictures',
    description: 'As a form or as JSON; pictures in JSON are data URLs, for freeway fetches no address for a client.',
    inference: true,
    body: {
      content: {
        [JSON_TYPE]: {
          schema: taken(
            'ImageEditRequest',
            z.looseObject({
              ...ofImage,
              image: z.union([z.string(), z.array(z.string())]).optional(),
              images: z.array(z.union([z.string(), z.looseObject({ image_url: z.string() })])).optional(),
              mask: z.union([z.string(), z.looseObject({ image_url: z.string() })]).optional(),
            }),
            { ...imageNotes, image: 'A data URL, or several.', images: 'The same, as `{"image_url": "data:…"}`.' },
          ),
          example: { prompt: 'Make it night', image: DATA_URL },
        },
        'multipart/form-data': {
          schema: taken('ImageEditForm', z.looseObject({ ...ofImage, image: z.union([file, z.array(file)]), mask: file.optional() }), {
            ...imageNotes,
            image: 'One picture, or several as `image[]`.',
          }),
        },
      },
    },
    answers: ofPictures,
  },
  {
    method: 'GET',
    path: '/v1/videos/{id}',
    id: 'retrieveVideo',
    tag,
    summary: 'Look for a video',
    description: 'No provider makes videos yet: there is none to be found.',
    params: { id: 'Of the video.' },
    errors: [404],
    answers: {},
  },
]
