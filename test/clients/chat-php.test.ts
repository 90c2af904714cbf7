// The sample clients that FreeLLMAPI documents for `POST /api/chat.php`, word for word in what they rely on.

import { describe, expect, it } from 'vitest'
import { setUpGateway } from '#test/support/setup.ts'

const KEY = 'fw-php-key-9aZ'
const setup = setUpGateway({ keys: { php: KEY } })

const messages = [{ role: 'user', content: 'Hello, how are you?' }]
const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }
const ask = (fields: object) =>
  fetch(`${setup.gateway.url}/api/chat.php`, { method: 'POST', headers, body: JSON.stringify({ messages, ...fields }) })

/** Their reader: nothing is kept of a line from one read to the next. */
async function asTheyRead(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const read of response.body ?? []) {
    for (const line of decoder.decode(read).split('\n')) {
      if (!line.startsWith('data: ') || line === 'data: [DONE]') continue
      text += JSON.parse(line.slice(6)).choices[0].delta.content ?? ''
    }
  }
  return text
}

describe('chat.php', () => {
  it('streams unless told otherwise, and says the same as a whole', async () => {
    const streamed = await ask({ model_id: 'm-reasoner' })
    expect(streamed.headers.get('content-type')).toContain('text/event-stream')
    const text = await asTheyRead(streamed)
    expect(setup.upstream.calls[0]?.body).toMatchObject({ temperature: 0.7, max_tokens: 1024, stream: true })
    const whole = (await (await ask({ model_id: 'm-reasoner', stream: false })).json()) as { choices: [{ message: { content: string } }] }
    expect(text).toBe(whole.choices[0].message.content)
    expect(text.length).toBeGreaterThan(10)
  })

  it('ends its stream with [DONE], and no line is anything but data', async () => {
    const lines = (await (await ask({})).text()).split('\n').filter(Boolean)
    expect(lines.at(-1)).toBe('data: [DONE]')
    for (const line of lines) expect(line).toMatch(/^data: \S/)
  })

  it('takes the number that models.php gives a model', async () => {
    const list = (await (await fetch(`${setup.gateway.url}/api/models.php`, { headers })).json()) as { id: number; model_id: string }[]
    const reasoner = list.find(({ model_id }) => model_id === 'm-reasoner')
    const whole = (await (await ask({ stream: false, model_id: reasoner?.id })).json()) as { model: string }
    expect(whole.model).toBe('m-reasoner')
  })

  it.each([
    [{ messages: undefined }, 400, 'messages'],
    [{ model_id: 999_999_999 }, 400, 'model_id'],
    [{ model_id: 'nobody' }, 400, 'unknown aliased model'],
    [{ stream: 'yes' }, 400, 'stream'],
  ])('refuses %j as FreeLLMAPI does', async (fields, status, message) => {
    const response = await ask(fields)
    expect(response.status).toBe(status)
    expect(await response.json()).toEqual({ error: expect.stringContaining(message), code: status })
  })

  it('a stream that breaks off says so in its own words, and ends', async () => {
    setup.upstream.setFault({ model: 'echo' }, { cut: 3 }, 1)
    const lines = (await (await ask({ model_id: 'echo' })).text()).split('\n').filter(Boolean)
    expect(JSON.parse((lines.at(-2) ?? '').slice(6))).toMatchObject({ error: expect.any(String), code: 502 })
    expect(lines.at(-1)).toBe('data: [DONE]')
  })

  it('tells a wrong key, and a provider that has had enough, in the same words', async () => {
    const wrong = await fetch(`${setup.gateway.url}/api/chat.php`, {
      method: 'POST',
      headers: { authorization: 'Bearer wrong' },
      body: '{}',
    })
    expect(await wrong.json()).toMatchObject({ error: expect.any(String), code: 401 })
    setup.upstream.setFault({}, { status: 429, headers: { 'retry-after': '60' } })
    const limited = await ask({ model_id: 'm-large' })
    expect(limited.status).toBe(429)
    expect(limited.headers.get('retry-after')).toBe('60')
    expect(await limited.json()).toMatchObject({ error: expect.any(String), code: 429, retry_after: 60 })
  })
})
