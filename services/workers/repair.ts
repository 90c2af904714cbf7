// Pure. What a provider streams becomes a well-formed chat completion stream. An event that is one already passes as its own
// bytes: it is parsed to be looked at, never written anew.

import type { ChunkUsage, FinishReason } from '#contracts/chunk.ts'
import { type Likeness, likenessOf, textLike } from '#contracts/wire/chat-completions/likeness.ts'
import { readUsage } from '#contracts/wire/chat-completions/usage.ts'
import { type SseEvent, writeSse } from '#contracts/wire/sse.ts'
import { isDone, isNoise, parseEvent } from './event-data.ts'
import { errorOfFinish, type InBandError, readInBandError } from './in-band-error.ts'
import { ChoiceRepair, carries, type Fields } from './repair-choice.ts'

export interface RepairOptions {
  /** The client asked for usage in its stream. */
  includeUsage: boolean
  /** Told to the client where the provider names no model; likewise `id` and `created` (seconds). */
  model: string
  id?: string
  created?: number
}

export interface Repaired {
  /** What to send now: whole events, or nothing. */
  output: Uint8Array | string | undefined
  /** Says something; a role, a comment or an empty piece does not. The first of these opens the answer. */
  meaningful: boolean
  /** The provider reported an error instead of going on; `output` is undefined. */
  failure: InBandError | undefined
}

export interface RepairEnd {
  /** The last events, without `[DONE]`. */
  output: string | undefined
  /** There is an answer, and a finish reason was seen, or `[DONE]` after some content. False: it must not look ended. */
  complete: boolean
  /** Nothing meaningful came: no answer at all. */
  empty: boolean
  /** Content, a tool call, a refusal or sound appeared; reasoning alone does not count. */
  produced: boolean
  /** Of the first choice. */
  finish: FinishReason | undefined
  usage: ChunkUsage
  usageSource: 'provider' | 'estimated'
  upstreamId: string | undefined
  /** `no_done`, `no_finish`, `reasoning_only`, `late_error`. */
  flags: string[]
}

const NOTHING: Repaired = { output: undefined, meaningful: false, failure: undefined }
const CHARACTERS_PER_TOKEN = 4
/** A stream whose events are never alike is not searched for likeness for ever. */
const MAX_LOOKS = 16
const OBJECT = 'chat.completion.chunk'
const NULL_USAGE_AT_END = ',"usage":null}'

/** After a failure, push no more. `finish` is called once; `promptTokens` serves where the provider counted nothing. */
export function createRepair(options: RepairOptions): { push(event: SseEvent): Repaired; finish(promptTokens?: number): RepairEnd } {
  const choices = new Map<number, ChoiceRepair>()
  const flags: string[] = []
  let upstreamId: string | undefined
  let id = options.id ?? ''
  let { created = 0, model } = options
  let headKnown = false
  /** The provider writes `created` in a way that strict clients refuse, such as 1.79e9. */
  let oddCreated = false
  let usage: ChunkUsage | undefined
  let started = false
  let done = false
  let held = ''
  /** An event that was right as it came, and the choice that spoke in it. */
  let likeness: Likeness | undefined
  let speaker: ChoiceRepair | undefined
  let looks = 0

  const allFinished = () => choices.size > 0 && choices.values().every((choice) => choice.reason !== undefined)
  const choiceAt = (index: number) => {
    const known = choices.get(index)
    if (known) return known
    const choice = new ChoiceRepair((call) => `call_${id}_${index}_${call}`)
    choices.set(index, choice)
    return choice
  }
  const fail = (failure: InBandError): Repaired => {
    if (!allFinished()) return { output: undefined, meaningful: false, failure }
    if (!flags.includes('late_error')) flags.push('late_error')
    return NOTHING
  }

  function readHead(fields: Fields, data: string): void {
    headKnown = true
    if (typeof fields.id === 'string' && fields.id !== '') id = upstreamId = fields.id
    if (typeof fields.created === 'number' && fields.created > 0) created = Math.floor(fields.created)
    if (typeof fields.model === 'string' && fields.model !== '') model = fields.model
    oddCreated = !/"created":\s*\d+\s*[,}]/.test(data)
  }

  function repairHead(fields: Fields): boolean {
    if (!oddCreated && fields.id === id && fields.created === created && fields.model === model && fields.object === OBJECT) return false
    Object.assign(fields, { id, object: OBJECT, created, model })
    return true
  }

  function push(event: SseEvent): Repaired {
    if (done) return NOTHING
    const { data } = event
    const said = likeness && event.plain && speaker?.saysPlainly ? textLike(likeness, data) : undefined
    if (said !== undefined) {
      speaker?.say(said)
      return { output: event.raw, meaningful: true, failure: undefined }
    }
    const fields = parseEvent(data)
    if (fields === undefined) {
      if (isNoise(data)) return NOTHING
      if (!isDone(data)) return fail({ status: 502, message: 'the provider sent an event that is no JSON object', code: 'malformed' })
      done = true
      return NOTHING
    }
    if (fields === null) return NOTHING
    if (!Array.isArray(fields.choices) || (fields.error !== undefined && fields.error !== null) || event.event === 'error') {
      const failure = readInBandError(fields, event.event === 'error')
      if (failure) return fail(failure)
    }
    usage = readUsage(fields.usage) ?? readUsage((fields.x_groq as Fields | null | undefined)?.usage) ?? usage
    const given = fields.choices
    if (!Array.isArray(given) || given.length === 0) return NOTHING

    if (!headKnown) readHead(fields, data)
    let changed = repairHead(fields)
    let meaningful = false
    let opens = false
    const kept: Fields[] = []
    for (let position = 0; position < given.length; position++) {
      const choice = given[position] as Fields
      if (typeof choice !== 'object' || choice === null || Array.isArray(choice)) continue
      if (!Number.isInteger(choice.index)) {
        choice.index = position
        changed = true
      }
      const index = choice.index as number
      if (!choices.has(index)) opens = true
      const state = choiceAt(index)
      const ended = state.reason !== undefined
      const before = state.characters
      const hadOutput = state.produced
      const outcome = state.repair(choice)
      if (typeof outcome === 'object') return fail(errorOfFinish(outcome.breakdown))
      if (outcome) changed = true
      if (!started && carries(choice.delta)) opens = true
      const says = state.characters > before || state.produced !== hadOutput
      if (says || (!ended && endsTellingly(state))) meaningful = true
      else if (ended) continue
      else if (state.reason !== undefined) opens = true
      kept.push(choice)
    }
    if (kept.length === 0) return NOTHING
    if (kept.length < given.length) {
      fields.choices = kept
      changed = true
    }
    if (!started && !meaningful && !opens) return NOTHING
    const text = write(fields, data, changed)
    if (!started && !meaningful) {
      held += text === undefined ? writeSse(data) : text
      return NOTHING
    }
    started = true
    if (held !== '') {
      const output = held + (text ?? writeSse(data))
      held = ''
      return { output, meaningful, failure: undefined }
    }
    if (text === undefined && event.plain && looks < MAX_LOOKS) {
      looks++
      const found = likenessOf(fields, data)
      if (found) [likeness, speaker] = [found, choices.get(kept[0]?.index as number)]
    }
    return { output: text ?? (event.plain ? event.raw : writeSse(data)), meaningful, failure: undefined }
  }

  /** Undefined if the event may stay as it is. `usage: null` is put in or cut out as text where it is the only difference. */
  function write(fields: Fields, data: string, changed: boolean): string | undefined {
    const right = options.includeUsage ? fields.usage === null : fields.usage === undefined
    if (right && !changed) return undefined
    if (!changed && options.includeUsage && fields.usage === undefined && data.endsWith('}')) {
      return `data: ${data.slice(0, -1)}${NULL_USAGE_AT_END}\n\n`
    }
    if (!changed && !options.includeUsage && fields.usage === null && data.endsWith(NULL_USAGE_AT_END)) {
      return `data: ${data.slice(0, -NULL_USAGE_AT_END.length)}}\n\n`
    }
    if (options.includeUsage) fields.usage = null
    else delete fields.usage
    return writeSse(JSON.stringify(fields))
  }

  function finish(promptTokens = 0): RepairEnd {
    const states = [...choices.values()]
    const produced = states.some((choice) => choice.produced)
    const finished = allFinished()
    const complete = started && (finished || (done && produced))
    let output = ''
    if (complete && !finished) {
      flags.push('no_finish')
      for (const [index, choice] of choices) if (choice.reason === undefined) output += writeChunk([choice.close(index)], null)
    }
    if (complete && !done) flags.push('no_done')
    if (!produced && states.some((choice) => choice.reasoned)) flags.push('reasoning_only')
    const characters = states.reduce((sum, choice) => sum + choice.characters, 0)
    const counted = usage ?? readUsage({ prompt_tokens: promptTokens, completion_tokens: Math.ceil(characters / CHARACTERS_PER_TOKEN) })
    if (complete && options.includeUsage) output += writeChunk([], counted)
    return {
      output: output === '' ? undefined : output,
      complete,
      empty: !started,
      produced,
      finish: choices.get(0)?.reason ?? states[0]?.reason,
      usage: counted as ChunkUsage,
      usageSource: usage ? 'provider' : 'estimated',
      upstreamId,
      flags,
    }
  }

  function writeChunk(elements: Fields[], reported: unknown): string {
    return writeSse(
      JSON.stringify({ id, object: OBJECT, created, model, choices: elements, ...(options.includeUsage && { usage: reported }) }),
    )
  }

  return { push, finish }
}

/** An end that says something by itself. A bare "stop" does not: an answer of nothing is no answer. */
function endsTellingly(choice: ChoiceRepair): boolean {
  if (choice.reason === undefined) return false
  return choice.produced || choice.reasoned || choice.reason === 'length' || choice.reason === 'content_filter'
}
