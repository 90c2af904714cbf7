import { describe, expect, it } from 'vitest'
import { EXTENSION_PREFIX } from '../../job.ts'
import { writeMessages } from './messages.ts'

const kept = { [`${EXTENSION_PREFIX}other`]: { secret: 1 } }
const text = (said: string) => ({ type: 'text', text: said })
const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }
const file = { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AA' } }

describe('what only another format knows', () => {
  it('is taken out of messages, their parts and their calls', () => {
    const messages = [
      { role: 'user', content: [{ ...text('a'), ...kept }, picture], ...kept },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' }, ...kept }] },
    ]
    expect(writeMessages(messages, true)).toEqual([
      { role: 'user', content: [text('a'), picture] },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }] },
    ])
  })

  it('leaves no empty part behind', () => {
    const messages = [
      { role: 'user', content: [{ ...text(''), ...kept }, text('a')] },
      { role: 'user', content: [{ ...text(''), ...kept }] },
    ]
    expect(writeMessages(messages, true)).toEqual([
      { role: 'user', content: [text('a')] },
      { role: 'user', content: '' },
    ])
  })

  it('once gone, texts alone are one text, except the user’s', () => {
    const content = [text('a'), { ...text('b'), ...kept }]
    expect(
      writeMessages(
        ['system', 'tool', 'user'].map((role) => ({ role, content })),
        true,
      ),
    ).toEqual([
      { role: 'system', content: 'a\nb' },
      { role: 'tool', content: 'a\nb' },
      { role: 'user', content: [text('a'), text('b')] },
    ])
  })
})

it('an answer that comes back is without what is empty in it, and without what only another format knows', () => {
  const answer = { role: 'assistant', content: null, refusal: null, annotations: [], tool_calls: [], reasoning_content: 'hm', ...kept }
  expect(writeMessages([answer, { role: 'user', content: [] }], false)).toEqual([
    { role: 'assistant', content: null, reasoning_content: 'hm' },
    { role: 'user', content: [] },
  ])
})

describe('pictures and files from tools', () => {
  const call = (id: string, ...content: object[]) => ({ role: 'tool', tool_call_id: id, content })

  it('follow all results as a message of the user', () => {
    expect(writeMessages([call('a', text('see'), picture), call('b', file), { role: 'assistant', content: 'ok' }], false)).toEqual([
      { role: 'tool', tool_call_id: 'a', content: 'see' },
      { role: 'tool', tool_call_id: 'b', content: '(see the next message)' },
      { role: 'user', content: [picture, file] },
      { role: 'assistant', content: 'ok' },
    ])
  })

  it('go before what the user says next', () => {
    const said = { role: 'user', content: 'What is it?', name: 'u' }
    expect(writeMessages([call('a', picture), said], false).at(-1)).toEqual({
      role: 'user',
      content: [picture, text('What is it?')],
      name: 'u',
    })
    expect(writeMessages([call('a', picture), { role: 'user', content: [text('b')] }], false).at(-1)).toEqual({
      role: 'user',
      content: [picture, text('b')],
    })
  })

  it('are all that is moved: a chat client’s own messages stay as they came', () => {
    const messages = [call('a', text('x'), text('y')), { role: 'user', content: [text(''), picture] }, 'nonsense']
    expect(writeMessages(messages, false)).toEqual(messages)
  })
})
