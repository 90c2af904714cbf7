// Why an answer ended, in Messages' words and in those of chat completions. Pure.

import type { Chunk, FinishReason } from '../../chunk.ts'

type Finish = Extract<Chunk, { t: 'finish' }>

const reasons: Record<string, FinishReason> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
}
/** What chat completions have no word for. */
const own = new Set(['pause_turn', 'model_context_window_exceeded', 'refusal'])

export function readStopReason(word: unknown, sequence: unknown): Omit<Finish, 't' | 'choice'> {
  const reason = (typeof word === 'string' ? reasons[word] : undefined) ?? 'stop'
  return {
    reason,
    ...(typeof word === 'string' && own.has(word) && { native: word }),
    ...(word === 'stop_sequence' && typeof sequence === 'string' && { stop: sequence }),
    ...(word === 'end_turn' && { stop: null }),
  }
}

export interface Ending {
  finish: Pick<Finish, 'reason' | 'native' | 'stop'>
  /** The last characters of the text. */
  tail: string
  called: boolean
  /** The client's, in order. */
  stopSequences: readonly string[]
}

/** `stop_sequence` is null unless that is why. */
export function writeStopReason({ finish, tail, called, stopSequences }: Ending): { stop_reason: string; stop_sequence: string | null } {
  const because = (stop_reason: string, stop_sequence: string | null = null) => ({ stop_reason, stop_sequence })
  if (finish.reason === 'length') return because(finish.native === 'model_context_window_exceeded' ? finish.native : 'max_tokens')
  if (finish.reason === 'content_filter') return because('refusal')
  if (called) return because('tool_use')
  if (finish.native !== undefined && own.has(finish.native)) return because(finish.native)
  if (finish.stop === null) return because('end_turn')
  if (finish.stop !== undefined && stopSequences.includes(finish.stop)) return because('stop_sequence', finish.stop)
  const [first] = stopSequences
  return first !== undefined && !isAtItsEnd(tail) ? because('stop_sequence', first) : because('end_turn')
}

/**
 * Most chat providers cut at a stop sequence and say no more than "stop". What ends like a sentence, a quotation or a block of code
 * has come to its own end; what breaks off in its midst, or in white space, was cut.
 */
function isAtItsEnd(tail: string): boolean {
  return /[\p{Sentence_Terminal}…)\]}"'`”’»」』>*_~\p{Extended_Pictographic}]$/u.test(tail)
}
