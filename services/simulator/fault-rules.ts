// Which fault a call gets: the rules set from outside, then the directive in the model's name, then the call's own header. Later words win.

import { z } from 'zod'
import { type Fault, readDirective, readFault, withoutDirective } from './fault.ts'

/** Without a model the rule is for all; `times` is how many calls it lasts. */
export const faultRule = z.strictObject({
  match: z.strictObject({ model: z.string().optional() }).default({}),
  fault: z.unknown().transform((value) => readFault(value)),
  times: z.int().min(1).optional(),
})
export type FaultRule = z.infer<typeof faultRule>

export class FaultRules {
  #rules: FaultRule[] = []
  readonly #directives = new Map<string, Fault | undefined>()

  get list(): readonly FaultRule[] {
    return this.#rules
  }

  /** Replaces the rule with the same match; no fault removes it. */
  set(match: FaultRule['match'], fault: Fault | undefined, times?: number): void {
    this.#rules = this.#rules.filter((rule) => rule.match.model !== match.model)
    if (fault) this.#rules.push({ match, fault, times })
  }

  clear(): void {
    this.#rules = []
  }

  /** Uses up one of the rule's `times`. Throws FreewayError 400 on an unknown word. */
  take(model: string | undefined, header: string | undefined): Fault {
    const ruled = this.#use(model)
    const directed = model?.includes('?') ? this.#directive(model) : undefined
    if (!directed && !header) return ruled ?? none
    return { ...ruled, ...directed, ...(header && readFault(parseHeader(header))) }
  }

  #use(model: string | undefined): Fault | undefined {
    if (this.#rules.length === 0) return undefined
    const name = model && withoutDirective(model)
    const rule =
      this.#rules.find((one) => one.match.model !== undefined && (one.match.model === model || one.match.model === name)) ??
      this.#rules.find((one) => one.match.model === undefined)
    if (rule?.times !== undefined && --rule.times === 0) this.#rules = this.#rules.filter((one) => one !== rule)
    return rule?.fault
  }

  /** Remembered, because load asks for the same name a thousand times a second. */
  #directive(model: string): Fault | undefined {
    if (!this.#directives.has(model)) {
      if (this.#directives.size >= 500) this.#directives.clear()
      this.#directives.set(model, readDirective(model))
    }
    return this.#directives.get(model)
  }
}

const none: Fault = Object.freeze({})

function parseHeader(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Not an object, so that reading the fault explains it.
    return text
  }
}
