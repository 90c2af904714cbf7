// The tool calls of an answer, one after the other: a call that comes in while another is unfinished waits for its end. Pure.

import type { Chunk } from '../../chunk.ts'
import { type Call, callArguments, callItem, isWholeCall, newCall } from './call.ts'
import type { Output } from './output.ts'
import type { ToolNames } from './tools.ts'

export class CallItems {
  readonly #output: Output
  readonly #names: ToolNames
  /** In the order of their beginning; the first that is not done is the open one, the rest wait for it. */
  readonly #calls: Call[] = []

  constructor(output: Output, names: ToolNames) {
    this.#output = output
    this.#names = names
  }

  add(chunk: Extract<Chunk, { t: 'tool' }>): string {
    let call = this.#calls.find(({ number }) => number === chunk.call)
    if (!call) {
      call = newCall(chunk, this.#names)
      this.#calls.push(call)
    }
    if (call.done) return ''
    call.pending += chunk.arguments
    const current = this.#current as Call
    if (current === call) return this.#go(call)
    // Only arguments that are whole are known to be at their end.
    if (!isWholeCall(current)) return ''
    return this.#finish(current, false) + this.#go(this.#current as Call)
  }

  close(incomplete: boolean): string {
    let events = ''
    for (let call = this.#current; call; call = this.#current) events += this.#finish(call, incomplete)
    return events
  }

  get #current(): Call | undefined {
    return this.#calls.find(({ done }) => !done)
  }

  /** Opens the call if need be, and tells what has come of its arguments since the last time. */
  #go(call: Call): string {
    let events = ''
    if (call.id === undefined) {
      const { id, index } = this.#output.reserve(call.name.kind === 'custom' ? 'ctc' : 'fc')
      call.id = id
      call.index = index
      events = this.#output.added(index, callItem(call, 'in_progress'))
    }
    const delta = call.pending
    call.arguments += delta
    call.pending = ''
    // Free text comes packed as JSON: it can be unpacked once it is whole.
    if (call.name.kind === 'custom' || delta === '') return events
    return events + this.#output.event('response.function_call_arguments.delta', { item_id: call.id, output_index: call.index, delta })
  }

  #finish(call: Call, incomplete: boolean): string {
    let events = this.#go(call)
    call.done = true
    const place = { item_id: call.id, output_index: call.index }
    if (call.name.kind === 'custom') {
      const input = callArguments(call)
      events += this.#output.event('response.custom_tool_call_input.delta', { ...place, delta: input })
      events += this.#output.event('response.custom_tool_call_input.done', { ...place, input })
    } else {
      const { name } = call.name
      events += this.#output.event('response.function_call_arguments.done', { ...place, name, arguments: call.arguments })
    }
    return events + this.#output.done(call.index, callItem(call, incomplete ? 'incomplete' : 'completed'))
  }
}
