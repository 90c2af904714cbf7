// Pure. Tool-call deltas as careless upstreams send them.

import type { Json } from './deform.ts'
import type { Fault } from './fault.ts'

type Habit = NonNullable<Fault['tools']>[number]

/** Changes the payloads in place; those that `whole` and `in-finish` make superfluous are left out. */
export function spoilTools(payloads: Json[], habits: Habit[]): Json[] {
  if (habits.length === 0) return payloads
  const kept = habits.includes('whole') || habits.includes('in-finish') ? joined(payloads, habits.includes('in-finish')) : payloads
  const first = new Map<number, Json>()
  for (const call of callsOf(kept)) {
    const index = call.index
    const known = first.get(index)
    if (!known) first.set(index, { id: call.id, name: call.function?.name })
    if (known && habits.includes('repeat')) Object.assign(call, { id: known.id, function: { ...call.function, name: known.name } })
    if (call.id !== undefined) spoilId(call, habits)
    if (habits.includes('no-index')) delete call.index
    if (habits.includes('index-0')) call.index = 0
    if (habits.includes('first-index-1')) call.index += 1
    if (habits.includes('no-type')) delete call.type
  }
  return kept
}

function spoilId(call: Json, habits: Habit[]): void {
  if (habits.includes('no-id')) delete call.id
  if (habits.includes('null-id')) call.id = null
  if (habits.includes('empty-id')) call.id = ''
  if (habits.includes('same-id')) call.id = 'call_same'
}

/** Every call in one delta, and if wished in the chunk that finishes. */
function joined(payloads: Json[], inFinish: boolean): Json[] {
  const calls = new Map<number, Json>()
  const kept: Json[] = []
  for (const data of payloads) {
    const deltas = callsOf([data])
    let begins = false
    for (const delta of deltas) {
      const call = calls.get(delta.index)
      if (call) call.function.arguments += delta.function?.arguments ?? ''
      else {
        calls.set(delta.index, delta)
        begins = true
      }
    }
    if (deltas.length === 0 || begins) kept.push(data)
  }
  if (!inFinish) return kept
  const finish = kept.find((data) => data?.choices?.[0]?.finish_reason)
  const others = kept.filter((data) => data === finish || callsOf([data]).length === 0)
  if (finish) finish.choices[0].delta.tool_calls = [...calls.values()]
  return others
}

function callsOf(payloads: Json[]): Json[] {
  return payloads.flatMap((data) => data?.choices ?? []).flatMap((choice: Json) => choice.delta?.tool_calls ?? [])
}
