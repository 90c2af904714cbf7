// Tool calls put together from the pieces of a stream. Providers leave out, repeat, share or shift both index and id, so neither
// is trusted as a key: each is an alias of a call, learned as it comes. Pure.

import { isWholeObject } from '../../json.ts'

/** `call` is dense from 0; the first piece of a call, and no other, has `id` and `name`. */
export interface ToolPiece {
  call: number
  id?: string
  name?: string
  arguments: string
  /** Fields of a kind we do not know, such as Gemini's thought signature. */
  extra?: Record<string, unknown>
}

interface Call {
  /** Undefined until name and id are known: nothing is told of a call before. */
  number: number | undefined
  id: string | undefined
  name: string
  arguments: string
  extra: Record<string, unknown> | undefined
}

/** The calls of one answer. `makeId` gives the id of a call that is whole and has none; it is final, a later one is only an alias. */
export class ToolCalls {
  readonly #makeId: (call: number) => string
  readonly #calls: Call[] = []
  readonly #byId = new Map<string, Call>()
  readonly #byIndex = new Map<number, Call>()
  #told = 0

  constructor(makeId: (call: number) => string) {
    this.#makeId = makeId
  }

  /** How many calls have been told. */
  get count(): number {
    return this.#told
  }

  /** Takes one element of `delta.tool_calls`. Undefined while there is nothing to tell. */
  read(delta: unknown): ToolPiece | undefined {
    if (typeof delta !== 'object' || delta === null) return undefined
    const { index, id: rawId, type, function: rawFunction, ...rest } = delta as Record<string, unknown>
    const called = (typeof rawFunction === 'object' && rawFunction !== null ? rawFunction : {}) as Record<string, unknown>
    const id = typeof rawId === 'string' && rawId !== '' ? rawId : undefined
    const name = typeof called.name === 'string' ? called.name : ''
    const args = readArguments(called.arguments)
    const extra = type === 'custom' ? { type, ...rest } : rest
    const hasExtra = Object.keys(extra).length > 0
    const position = typeof index === 'number' ? index : undefined
    if (id === undefined && name === '' && args === '' && !hasExtra && (position === undefined || !this.#byIndex.has(position)))
      return undefined

    const found = this.#find(position, id, name, args)
    const nameless = id === undefined && name === ''
    // Whole arguments once more, with nothing to tell them apart, are a repeat; other ones are a further call to the same function.
    if (found === undefined && nameless && this.#calls.some((call) => call.arguments === args)) return undefined
    const call = found ?? this.#open(nameless ? this.#calls.at(-1)?.name : undefined)
    if (id !== undefined) this.#byId.set(id, call)
    if (position !== undefined) this.#byIndex.set(position, call)
    call.id ??= id
    call.arguments += args
    if (call.number === undefined) {
      if (hasExtra) call.extra = { ...call.extra, ...extra }
      // A call of a kind without functions has its name elsewhere.
      call.name ||= name
      if (call.name === '' && call.extra?.type === undefined) return undefined
      // Its id may come late; one that is made up is made once the call is whole.
      return call.id === undefined && call.extra?.type === undefined && !isWholeObject(call.arguments) ? undefined : this.#tell(call)
    }
    return { call: call.number, arguments: args, ...(hasExtra && { extra }) }
  }

  /** The calls whose id or name never came: told under a made-up one rather than lost. */
  flush(): ToolPiece[] {
    const pieces: ToolPiece[] = []
    for (const call of this.#calls) {
      if (call.number !== undefined || (call.name === '' && call.id === undefined && call.arguments === '')) continue
      call.name ||= `tool_${this.#told}`
      pieces.push(this.#tell(call))
    }
    return pieces
  }

  #open(name = ''): Call {
    const call: Call = { number: undefined, id: undefined, name, arguments: '', extra: undefined }
    this.#calls.push(call)
    return call
  }

  #tell(call: Call): ToolPiece {
    call.number = this.#told++
    call.id ??= this.#makeId(call.number)
    return { call: call.number, id: call.id, name: call.name, arguments: call.arguments, ...(call.extra && { extra: call.extra }) }
  }

  /** The call that this piece goes on with; undefined if it begins a new one. */
  #find(index: number | undefined, id: string | undefined, name: string, args: string): Call | undefined {
    const known = id === undefined ? undefined : this.#byId.get(id)
    if (known) return known
    const candidate = index === undefined ? this.#calls.at(-1) : this.#byIndex.get(index)
    if (candidate === undefined) {
      // An index never seen begins a call, unless the piece is nothing but more arguments.
      if (id !== undefined || name !== '') return undefined
      const last = this.#calls.at(-1)
      return last && !(beginsJson(args) && isWholeObject(last.arguments)) ? last : undefined
    }
    const otherId = id !== undefined && candidate.id !== undefined
    const otherName = name !== '' && candidate.name !== '' && name !== candidate.name
    if (otherName) return undefined
    if (otherId) {
      // A provider that makes up an id for every piece, or a second call to the same function?
      return name === '' ? candidate : this.#isOpen(candidate) ? candidate : undefined
    }
    if (name !== '' && candidate.name !== '' && index === undefined && isWholeObject(candidate.arguments)) return undefined
    return beginsJson(args) && isWholeObject(candidate.arguments) ? undefined : candidate
  }

  /** Its arguments have begun and still lack their end. */
  #isOpen(call: Call): boolean {
    return call.arguments.trim() !== '' && !isWholeObject(call.arguments)
  }
}

/** An element of `delta.tool_calls`. */
export function writeToolPiece({ call, id, name, arguments: args, extra }: ToolPiece): Record<string, unknown> {
  if (id === undefined) return { index: call, function: { arguments: args }, ...extra }
  // Only functions have a `function`; a call of another kind has all it needs in `extra`.
  if (extra?.type !== undefined) return { index: call, id, ...extra }
  return { index: call, id, type: 'function', function: { name: name ?? '', arguments: args }, ...extra }
}

function readArguments(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : JSON.stringify(value)
}

function beginsJson(text: string): boolean {
  return text.trimStart().startsWith('{')
}
