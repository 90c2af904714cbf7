// Jobs other than chats: which style asks for them at a provider, where, and who reads the answer.

import { randomBytes } from 'node:crypto'
import type { Adaptation } from '#contracts/adaptation.ts'
import type { Offer } from '#contracts/attempt.ts'
import type { Provider } from '#contracts/catalog.ts'
import type { JobKind } from '#contracts/job.ts'
import { type MediaRoute, type MediaStyle, mediaRoute, readMediaBody } from '#contracts/media.ts'
import type { Habits } from './habits.ts'
import type { ProviderKnowledge } from './incoming.ts'
import type { Account } from './keys.ts'
import { MediaAnswer } from './media-answer.ts'
import * as chatAudio from './media-chat-audio.ts'
import * as cloudflare from './media-cloudflare.ts'
import * as gemini from './media-gemini.ts'
import * as openai from './media-openai.ts'
import * as pictures from './media-pictures.ts'
import { type MediaAsk, type MediaRequest, type Style, unsupported } from './media-style.ts'
import type { AnswerSink } from './sink.ts'
import type { UpstreamRequest } from './upstream.ts'

type MediaKind = Exclude<JobKind, 'chat'>

const styles: Record<MediaKind, Partial<Record<MediaStyle, Style>>> = {
  embedding: { openai: openai.embedding },
  speech: { openai: openai.speech, gemini: gemini.speech, 'cloudflare-run': cloudflare.speech, 'chat-audio': chatAudio.speech },
  transcription: { openai: openai.transcription, gemini: gemini.transcription, 'cloudflare-run': cloudflare.transcription },
  image: {
    openai: openai.image,
    'cloudflare-run': cloudflare.image,
    'nvidia-genai': pictures.nvidia,
    siliconflow: pictures.siliconflow,
    'get-bytes': pictures.getBytes,
  },
}

/** One call: what was asked is needed to read the answer. */
export interface MediaCall {
  /** Throws FreewayError for what this provider cannot do, Error for a body that is none. */
  request(account: Account, body: Uint8Array): UpstreamRequest
  answer(sink: AnswerSink): MediaAnswer
}

type Place = ProviderKnowledge & { provider: Provider; habits: Pick<Habits, 'headers'> }

/** Undefined: it is a chat. */
export function openMediaCall(place: Place, offer: Offer): MediaCall | undefined {
  const { kind, model, adapt } = offer
  if (kind === 'chat') return undefined
  const { provider, habits } = place
  let ask: MediaAsk | undefined
  const route = adapted(provider.media[kind] ?? USUAL, adapt)
  const style = styles[kind][route.style]
  return {
    request(account, body) {
      if (!style) throw unsupported(`${kind} at this provider`)
      const facts = provider.models.find(({ id }) => id === model)
      ask = {
        ...readMediaBody(body),
        kind,
        model,
        facts,
        route,
        key: keyOf(account),
        boundary: `freeway-${randomBytes(16).toString('hex')}`,
      }
      const written = style.write(ask)
      return {
        ...(written.method && { method: written.method }),
        ...addressOf(written, ask, account),
        headers: headersOf({
          accept: '*/*',
          'accept-encoding': 'identity',
          'user-agent': 'freeway',
          ...habits.headers,
          ...account.headers,
          ...written.headers,
        }),
        body: written.body,
      }
    },
    answer: (sink) =>
      new MediaAnswer(offer, sink, place, (answer) => (style && ask ? style.read(answer, ask) : undefined), style?.streams === true),
  }
}

/** After a refusal that said what to change. */
function adapted(route: MediaRoute, adapt: Adaptation | undefined): MediaRoute {
  if (!adapt) return route
  return { ...route, drop: [...route.drop, ...(adapt.drop ?? [])], rename: { ...route.rename, ...adapt.rename } }
}

const USUAL: MediaRoute = mediaRoute.parse({})

function addressOf(
  { path: usual, query }: MediaRequest,
  ask: MediaAsk,
  { basePath, accountId }: Account,
): Pick<UpstreamRequest, 'path' | 'origin'> {
  const { route, model, fields } = ask
  const fill = (text: string) =>
    text
      .replaceAll('{model}', () => encodeURI(model))
      .replaceAll('{account_id}', () => encodeURIComponent(accountId))
      .replaceAll('{prompt}', () => encodeURIComponent(String(fields.prompt).toWellFormed()))
  const tail = query ? `?${query}` : ''
  if (route.url !== undefined) {
    const { origin, pathname, search } = new URL(fill(route.url))
    return { origin, path: `${pathname}${search || tail}` }
  }
  const path = fill(route.path ?? usual)
  // `..` leads out of the part that speaks OpenAI's language.
  const { pathname } = path.startsWith('/') ? { pathname: `${basePath}${path}` } : new URL(`${basePath}/${path}`, 'http://base.invalid')
  return { path: `${pathname}${tail}` }
}

function headersOf(headers: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined))
}

function keyOf({ headers }: Account): string | undefined {
  return headers.authorization?.replace(/^Bearer /, '') ?? Object.values(headers)[0]
}
