// A response that is complete, told as the events by which it might have come: every text in one piece. Pure.

import { Output } from './output.ts'
import { asFields, type Fields } from './shape.ts'
import { writeLast } from './stream.ts'

/** All events but `[DONE]`. */
export function writeKept(response: Fields & { id: string }): string {
  const output = new Output(response.id)
  const before = { ...response, status: 'in_progress', output: [], usage: null, completed_at: null, error: null, incomplete_details: null }
  let events = output.event('response.created', { response: before }) + output.event('response.in_progress', { response: before })
  for (const [index, item] of listOf(response.output).entries()) {
    events += output.added(index, emptied(item)) + writeItem(output, item, { item_id: item.id, output_index: index })
    events += output.done(index, item)
  }
  return events + writeLast(response, output.sequence)
}

function emptied(item: Fields): Fields {
  const empty = { content: [], summary: [], arguments: '', input: '' }
  const own = Object.entries(empty).filter(([name]) => Object.hasOwn(item, name))
  return { ...item, ...Object.fromEntries(own), ...(Object.hasOwn(item, 'status') && { status: 'in_progress' }) }
}

function writeItem(output: Output, item: Fields, place: Fields): string {
  switch (item.type) {
    case 'message':
      return listOf(item.content)
        .map((part, index) => writePart(output, part, { ...place, content_index: index }))
        .join('')
    case 'reasoning':
      return listOf(item.summary)
        .map((part, index) => writeSummary(output, part, { ...place, summary_index: index }))
        .join('')
    case 'function_call':
      return (
        output.event('response.function_call_arguments.delta', { ...place, delta: item.arguments }) +
        output.event('response.function_call_arguments.done', { ...place, name: item.name, arguments: item.arguments })
      )
    case 'custom_tool_call':
      return (
        output.event('response.custom_tool_call_input.delta', { ...place, delta: item.input }) +
        output.event('response.custom_tool_call_input.done', { ...place, input: item.input })
      )
    default:
      return ''
  }
}

function writePart(output: Output, part: Fields, place: Fields): string {
  const { type, text, refusal, logprobs = [] } = part
  const empty = type === 'refusal' ? { ...part, refusal: '' } : { ...part, text: '', annotations: [], logprobs: [] }
  const opening = output.event('response.content_part.added', { ...place, part: empty })
  const said =
    type === 'refusal'
      ? output.event('response.refusal.delta', { ...place, delta: refusal }) + output.event('response.refusal.done', { ...place, refusal })
      : output.event('response.output_text.delta', { ...place, delta: text, logprobs }) +
        output.event('response.output_text.done', { ...place, text, logprobs })
  return opening + said + output.event('response.content_part.done', { ...place, part })
}

function writeSummary(output: Output, part: Fields, place: Fields): string {
  return (
    output.event('response.reasoning_summary_part.added', { ...place, part: { ...part, text: '' } }) +
    output.event('response.reasoning_summary_text.delta', { ...place, delta: part.text }) +
    output.event('response.reasoning_summary_text.done', { ...place, text: part.text }) +
    output.event('response.reasoning_summary_part.done', { ...place, part })
  )
}

function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map((one) => asFields(one) ?? {}) : []
}
