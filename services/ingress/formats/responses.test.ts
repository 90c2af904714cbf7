import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, utf8 } from '#contracts/bytes.ts'
import { FreewayError } from '#contracts/failure.ts'
import { parseRequest } from '#contracts/wire/responses/shape.ts'
import { chatStream } from '#test/support/chat-stream.ts'
import { type Memory, responses } from './responses.ts'

const decoder = new TextDecoder()
const head = { headers: new Headers(), id: 'r1' }
const kept: string[] = []
const memory: Memory = {
  recall: async ({ input }) => ({ context: [], items: [{ role: 'user', content: input }] }),
  async keep(_id, _items, _context, response) {
    kept.push(response)
    return true
  },
}
const ask = (fields: object = {}, own = memory) =>
  responses(parseRequest(utf8(JSON.stringify({ model: 'm', input: 'Hello', ...fields }))), own).readRequest(utf8(''), head)

async function answered(payloads: Uint8Array[], fields: object = {}): Promise<string> {
  const stream = (await ask({ stream: true, store: false, ...fields })).answer.stream()
  const said = payloads.flatMap((payload) => stream.write(payload) ?? [])
  return decoder.decode(concat([...said, await stream.end()])).replaceAll(/"(created|completed)_at":\d+/g, '"$1_at":0')
}

describe('a stream of a response', () => {
  it('is the same bytes, however the events of the worker come in', async () => {
    const bytes = utf8(chatStream)
    const expected = await answered([bytes])
    expect(expected).toContain('"text":"Grüße 🌍"')
    expect(expected.endsWith('\n\ndata: [DONE]\n\n')).toBe(true)
    const split = (cuts: number[]) => [...cuts, bytes.length].map((cut, at) => bytes.subarray(cuts[at - 1] ?? 0, cut))
    for (let at = 1; at < bytes.length; at++) expect(await answered(split([at]))).toBe(expected)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 20 }), async (cuts) => {
        expect(await answered(split(cuts.toSorted((a, b) => a - b)))).toBe(expected)
      }),
    )
  })

  it('ends once the response is kept, as it was told', async () => {
    const text = await answered([utf8(chatStream)], { store: true })
    const last = JSON.parse(text.split('data: ').at(-2) ?? '') as { response: object }
    expect({ ...JSON.parse(kept.at(-1) ?? ''), created_at: 0, completed_at: null }).toEqual({ ...last.response, completed_at: null })
    expect(last.response).toMatchObject({ store: true })
  })

  it('says so if the response could not be kept', async () => {
    const stream = (await ask({ stream: true }, { ...memory, keep: async () => false })).answer.stream()
    stream.write(utf8(chatStream))
    expect(decoder.decode(await stream.end())).toContain('"store":false')
  })

  it('that breaks off ends as failed, and is kept so', async () => {
    const stream = (await ask({ stream: true })).answer.stream()
    stream.write(utf8(chatStream.slice(0, chatStream.indexOf('finish_reason":"tool'))))
    const text = decoder.decode(stream.fail(new FreewayError('provider_error', 'gone'), 'r1'))
    expect(text).toMatch(/event: error\n.*\n\nevent: response\.failed\n.*\n\ndata: \[DONE\]\n\n$/)
    expect(JSON.parse(kept.at(-1) ?? '')).toMatchObject({
      status: 'failed',
      output: expect.arrayContaining([expect.objectContaining({ type: 'message' })]),
    })
  })
})
