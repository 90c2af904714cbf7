// Pure. What members are told at Discord.

import { FreewayError } from '#contracts/failure.ts'
import type { CheckedIn } from './members.ts'

export const ELSEWHERE = 'This command works on the server of the community alone.'
export const UNKNOWN = 'This gateway does not know that command.'

export function signedUp(key: string, mustCheckIn: boolean): string {
  const next = mustCheckIn ? '\nBefore you use it, and once per UTC day from then on: /checkin.' : ''
  return `${shown(key)}${next}\nIf you lose it: /resetkey.`
}

export function reset(key: string): string {
  return `${shown(key)}\nThe old key is dead. Your account is the same, with its limits and its history.`
}

/** Discord shows a time in the reader's own zone. */
export function checkedIn({ validUntilMs, already }: CheckedIn): string {
  return `${already ? 'You had checked in already' : 'You are checked in'}, until <t:${validUntilMs / 1000}:t> (00:00 UTC).`
}

export function failed(error: unknown, command: string): string {
  if (!(error instanceof FreewayError)) return 'Something went wrong in the gateway. Try again in a moment.'
  if (error.code === 'wrong_answer') return `That answer is wrong. /${command} asks you another question.`
  if (error.code === 'challenge_expired' || error.code === 'challenge_used') {
    return `That question has expired. /${command} asks you another one.`
  }
  const words = error.message.replace(/^(use_case|bot_disclosure|reason|answer): /, '')
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`
}

function shown(key: string): string {
  return `Your key, shown only now:\n\`\`\`\n${key}\n\`\`\`\nSend it as \`Authorization: Bearer <key>\`. Give it to nobody.`
}
