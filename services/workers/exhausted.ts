// Pure. Which limit a refusal speaks of, and how much of it there is: "tokens per day (TPD): Limit 200000, Used 199650".

import type { LearnedLimit, Unit, Window } from '#contracts/limit.ts'
import type { RefusalScope } from '#contracts/settlement.ts'

export interface Exhausted {
  unit: Unit
  per: Window | undefined
  max: number | undefined
  /** Whether Google named the quota: its own `retryDelay` is then too short for anything but a minute. */
  named: boolean
}

/** `words`: the telling texts of the body. `body`: the whole of it, for Google's quota ids. */
export function readExhausted(words: string, body: string): Exhausted {
  const quota = QUOTA_ID.exec(body)?.[1]
  const said = quota === undefined ? words : quota.replaceAll(/([a-z])([A-Z])/g, '$1 $2')
  const value = quota === undefined ? MAX.exec(words)?.[1] : QUOTA_VALUE.exec(body)?.[1]
  return {
    unit: unitOf(said),
    per: windowOf(said),
    max: value === undefined ? undefined : Number(value.replaceAll(',', '')),
    named: quota !== undefined,
  }
}

/** As the routers learn it. Without a window nothing can be counted by it. */
export function asLearned({ unit, per, max }: Exhausted, resetMs: number, scope: RefusalScope): LearnedLimit[] {
  if (scope === 'request' || (per === undefined && unit !== 'concurrency')) return []
  const whose = scope === 'key' ? 'account' : scope
  return [{ unit, remaining: 0, reset_ms: resetMs, scope: whose, ...(per !== undefined && { per }), ...(max !== undefined && { max }) }]
}

const QUOTA_ID = /"quotaId"\s{0,9}:\s{0,9}"([A-Za-z-]{1,120})/
const QUOTA_VALUE = /"quotaValue"\s{0,9}:\s{0,9}"(\d{1,15})"/
const MAX =
  /\b(?:limit(?:ed)?(?: is| to| of|:)?|quota of|allocation of|maximum of|allowed|more than)\s{1,3}(\d{1,3}(?:,\d{3}){1,4}|\d{1,15})\b/i

/** The first that fits. What it says of tokens or requests "per" something is surer than a word that only occurs. */
const UNITS: [RegExp, Unit][] = [
  [/concurren|parallel|simultaneous|in-flight|already (?:queued|running|in progress)/i, 'concurrency'],
  [/\bASP[HD]\b|seconds of audio|audio seconds/i, 'audio_seconds'],
  [/neuron/i, 'neurons'],
  [/\brequests? per |\bRP[SMHD]\b|\b(?:calls|queries) ?(?:per|\/)/i, 'requests'],
  [/\btokens?\b|\bTP[SMHD]\b/i, 'tokens'],
  [/\bimages?\b/i, 'images'],
  [/\bcredits?\b/i, 'credits'],
]

const WINDOWS: [RegExp, Window][] = [
  [/(?:\bper|\/|\ba|\beach)[ -]?sec(?:ond)?\b|\b[RT]PS\b|\bby ?second\b|\bper 1 ?s\b/i, 'second'],
  [/(?:\bper|\/|\ba|\beach)[ -]{0,2}min(?:ute)?\b|\b[RT]PM\b|by ?minute\b|\bper 60 ?s\b|\/ minute\b/i, 'minute'],
  [/\b5[ -]?h(?:our)?s?\b/i, '5h'],
  [/(?:\bper|\/|\ban?|\beach)[ -]{0,2}hour\b|\b(?:[RT]|AS)PH\b|by ?hour\b|hourly|\bper 3600 ?s\b/i, 'hour'],
  [
    /(?:\bper|\/|\ba|\beach)[ -]{0,2}day\b|\b(?:[RT]|AS)PD\b|by ?day\b|daily|today|tomorrow|has been paused|used up|\bper 86400 ?s\b/i,
    'day',
  ],
  [/(?:\bper|\/|\ba|\beach)[ -]{0,2}week\b|weekly|this week/i, 'week'],
  [/(?:\bper|\/|\ba|\beach)[ -]{0,2}month\b|monthly|this month/i, 'month'],
]

function unitOf(text: string): Unit {
  return UNITS.find(([word]) => word.test(text))?.[1] ?? 'requests'
}

/** Of several the one named first: what follows is often an offer to buy more. */
function windowOf(text: string): Window | undefined {
  let best: { window: Window; at: number } | undefined
  for (const [word, window] of WINDOWS) {
    const at = text.search(word)
    if (at >= 0 && (best === undefined || at < best.at)) best = { window, at }
  }
  return best?.window
}
