import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ToolCalls } from './tool-calls.ts'

/** Puts the told pieces together as a client does: by `call`. */
function assemble(deltas: unknown[]) {
  const calls = new ToolCalls((call) => `made_${call}`)
  const found: { id: string; name: string; arguments: string }[] = []
  for (const piece of [...deltas.map((delta) => calls.read(delta)), ...calls.flush()]) {
    if (!piece) continue
    const known = found[piece.call]
    if (known) {
      expect(piece.id).toBe(undefined)
      expect(piece.name).toBe(undefined)
      known.arguments += piece.arguments
    } else {
      expect(piece.call).toBe(found.length)
      found.push({ id: piece.id as string, name: piece.name as string, arguments: piece.arguments })
    }
  }
  expect(calls.count).toBe(found.length)
  return found
}

const fn = (name: unknown, args?: unknown) => ({ function: { name, arguments: args } })
const args = (text: unknown) => ({ function: { arguments: text } })
const two = [
  { id: 'a', name: 'f', arguments: '{"x":1}' },
  { id: 'b', name: 'g', arguments: '{"y":2}' },
]

describe('calls are told apart', () => {
  test.each<[string, object[]]>([
    [
      'by index',
      [
        { index: 0, id: 'a', ...fn('f', '') },
        { index: 0, ...args('{"x":1}') },
        { index: 1, id: 'b', ...fn('g', '') },
        { index: 1, ...args('{"y":2}') },
      ],
    ],
    [
      'interleaved',
      [
        { index: 0, id: 'a', ...fn('f') },
        { index: 1, id: 'b', ...fn('g') },
        { index: 0, ...args('{"x":') },
        { index: 1, ...args('{"y"') },
        { index: 0, ...args('1}') },
        { index: 1, ...args(':2}') },
      ],
    ],
    ['without index', [{ id: 'a', ...fn('f', '') }, args('{"x":'), args('1}'), { id: 'b', ...fn('g', '') }, args('{"y":2}')]],
    [
      'all with index 0',
      [
        { index: 0, id: 'a', ...fn('f', '{"x":1}') },
        { index: 0, id: 'b', ...fn('g', '') },
        { index: 0, ...args('{"y":2}') },
      ],
    ],
    [
      'with a shifting index',
      [
        { index: 0, id: 'a', ...fn('f') },
        { index: 1, ...args('{"x"') },
        { index: 2, id: 'a', ...args(':1}') },
        { index: 3, id: 'b', ...fn('g', '{"y":2}') },
      ],
    ],
    [
      'from index 1',
      [
        { index: 1, id: 'a', ...fn('f', '{"x":1}') },
        { index: 4, id: 'b', ...fn('g', '{"y":2}') },
      ],
    ],
    [
      'id repeated',
      [
        { index: 0, id: 'a', ...fn('f', '{"x"') },
        { index: 0, id: 'a', ...args(':1}') },
        { index: 1, id: 'b', ...fn('g', '{"y"') },
        { index: 1, id: 'b', ...args(':2}') },
      ],
    ],
    [
      'id empty or null later',
      [
        { index: 0, id: 'a', ...fn('f', '{"x"') },
        { index: 0, id: '', ...fn('', ':1}') },
        { index: 1, id: 'b', ...fn('g', '{"y"') },
        { index: 1, id: null, ...fn(null, ':2}') },
      ],
    ],
    [
      'id new in every piece',
      [
        { index: 0, id: 'a', ...fn('f', '{"x"') },
        { index: 0, id: 'z1', ...args(':1}') },
        { index: 1, id: 'b', ...fn('g', '{"y"') },
        { index: 1, id: 'z2', ...args(':2}') },
      ],
    ],
    [
      'name repeated',
      [
        { index: 0, id: 'a', ...fn('f', '{"x"') },
        { index: 0, ...fn('f', ':1}') },
        { index: 1, id: 'b', ...fn('g', '{"y"') },
        { index: 1, ...fn('g', ':2}') },
      ],
    ],
    [
      'name late',
      [
        { index: 0, id: 'a', ...fn(null, '{"x"') },
        { index: 0, ...fn('f', ':1}') },
        { index: 1, id: 'b', ...fn(123, '{"y"') },
        { index: 1, ...fn('g', ':2}') },
      ],
    ],
    [
      'arguments as objects',
      [
        { index: 0, id: 'a', ...fn('f', { x: 1 }) },
        { index: 1, id: 'b', ...fn('g', { y: 2 }) },
      ],
    ],
    [
      'whole arguments once more',
      [
        { index: 0, id: 'a', ...fn('f', '{"x":1}') },
        { index: 0, ...args('{"x":1}') },
        { index: 1, id: 'b', ...fn('g', '{"y":2}') },
      ],
    ],
    [
      'nothing in between',
      [{ index: 0, id: 'a', ...fn('f', '{"x":1}') }, {}, { index: 0 }, { function: null }, { index: 1, id: 'b', ...fn('g', '{"y":2}') }],
    ],
  ])('%s', (_, deltas) => {
    expect(assemble(deltas)).toEqual(two)
  })

  test('two calls to one function, without ids', () => {
    expect(assemble([fn('f', '{"x":1}'), fn('f', '{"x":2}')])).toEqual([
      { id: 'made_0', name: 'f', arguments: '{"x":1}' },
      { id: 'made_1', name: 'f', arguments: '{"x":2}' },
    ])
  })

  test('one call whose name comes in every piece, without index and id', () => {
    expect(assemble([fn('do_it', ''), fn('do_it', '{"a"'), fn('do_it', ':1}')])).toEqual([
      { id: 'made_0', name: 'do_it', arguments: '{"a":1}' },
    ])
  })

  test('two calls to one function that share index 0', () => {
    const deltas = [
      { index: 0, id: 'a', ...fn('f', '{"x":1}') },
      { index: 0, id: 'b', ...fn('f', '{"x":2}') },
    ]
    expect(assemble(deltas).map((call) => call.arguments)).toEqual(['{"x":1}', '{"x":2}'])
  })

  test('two whole objects in one call are two calls, never glued', () => {
    expect(
      assemble([
        { index: 0, id: 'a', ...fn('f', '{"x":1}') },
        { index: 0, ...args('{"x":2}') },
      ]).map((call) => call.arguments),
    ).toEqual(['{"x":1}', '{"x":2}'])
  })

  test('a late id is waited for, as long as the call is not whole', () => {
    expect(
      assemble([
        { index: 0, ...fn('f', '{"x"') },
        { index: 0, id: 'late', ...args(':1') },
        { id: 'late', ...args('}') },
      ]),
    ).toEqual([{ id: 'late', name: 'f', arguments: '{"x":1}' }])
    expect(
      assemble([
        { index: 0, ...fn('f', '{"x":1}') },
        { index: 0, id: 'late', ...args('') },
      ]),
    ).toEqual([{ id: 'made_0', name: 'f', arguments: '{"x":1}' }])
    expect(assemble([{ index: 0, ...fn('f', '') }])).toEqual([{ id: 'made_0', name: 'f', arguments: '' }])
  })

  test('a call with an id and no name is told under a made-up one; one of nothing is not told', () => {
    expect(assemble([{ index: 0, id: 'a', ...fn('', '{}') }])).toEqual([{ id: 'a', name: 'tool_0', arguments: '{}' }])
    expect(
      assemble([
        { index: 0, id: '', ...fn('', '') },
        { index: 0, ...args('') },
      ]),
    ).toEqual([])
  })

  test('fields of unknown kind are kept', () => {
    const calls = new ToolCalls(() => 'x')
    const extra = { extra_content: { google: { thought_signature: 'c2ln' } } }
    expect(calls.read({ index: 0, id: 'a', type: 'function', ...fn('f', '{}'), ...extra })).toEqual({
      call: 0,
      id: 'a',
      name: 'f',
      arguments: '{}',
      extra,
    })
  })
})

test('well-formed calls are told as they came, whatever their order and pieces', () => {
  const call = fc.record({
    name: fc.constantFrom('f', 'g'),
    value: fc.dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
  })
  fc.assert(
    fc.property(
      fc.array(call, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(3), { maxLength: 60 }),
      fc.nat(5),
      (wanted, order, size) => {
        const texts = wanted.map(({ value }) => JSON.stringify(value))
        const deltas: object[] = wanted.map(({ name }, index) => ({ index, id: `id${index}`, type: 'function', ...fn(name, '') }))
        const queues = texts.map((text, index) =>
          (text.match(new RegExp(`[^]{1,${size + 1}}`, 'g')) ?? []).map((part) => ({ index, ...args(part) })),
        )
        for (const pick of order) {
          const next = queues[pick % queues.length]?.shift()
          if (next) deltas.push(next)
        }
        expect(assemble([...deltas, ...queues.flat()])).toEqual(
          wanted.map(({ name }, index) => ({ id: `id${index}`, name, arguments: texts[index] })),
        )
      },
    ),
  )
})
