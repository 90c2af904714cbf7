// Pure. `x-freeway-trace: 1` asks why a request goes where it goes; `x-freeway-explained` tells it, as JSON in ASCII and at most 4 KB.
// Admins may ask, whoever sits at the machine before there is any client, and keys with the role `trace`: it names providers and keys.

import { rolesOf } from '#contracts/account.ts'
import type { Explained } from '#contracts/explained.ts'
import type { Caller } from './access/gate.ts'

const MAX_LENGTH = 4_096
const ROLE = 'trace'

/** From anybody else the header is ignored. */
export function wantsExplanation(headers: Pick<Headers, 'get'>, caller: Caller | undefined): boolean {
  if (headers.get('x-freeway-trace') !== '1') return false
  return caller?.kind === 'client' ? rolesOf(caller.account).includes(ROLE) : caller !== undefined
}

/** Those who came nearest stay; `truncated` says how many were left out. */
export function explainedHeader({ candidates, passed_over, ...rest }: Explained): string {
  let [chosen, others] = [candidates.length, passed_over.length]
  for (;;) {
    const left = candidates.length - chosen + passed_over.length - others
    const shown = { ...rest, candidates: candidates.slice(0, chosen), passed_over: passed_over.slice(0, others) }
    const text = ascii(JSON.stringify(left > 0 ? { ...shown, truncated: left } : shown))
    if (text.length <= MAX_LENGTH) return text
    if (chosen === 0 && others === 0) return ascii(JSON.stringify({ strategy: rest.strategy.slice(0, 64), truncated: left }))
    if (others > chosen) others--
    else chosen--
  }
}

/** A header holds nothing else, and JSON can say everything in it. */
function ascii(json: string): string {
  return json.replace(/[^\x20-\x7e]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
