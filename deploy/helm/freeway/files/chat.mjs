// Streams one chat and fails unless it says something and ends as it should.

import process from 'node:process'

const TIMEOUT_MS = 60_000

const answer = await fetch(`${process.env.FREEWAY_URL}/v1/chat/completions`, {
  method: 'POST',
  headers: { authorization: `Bearer ${process.env.FREEWAY_ADMIN_TOKEN}`, 'content-type': 'application/json' },
  body: JSON.stringify({ model: process.env.MODEL, stream: true, max_tokens: 64, messages: [{ role: 'user', content: 'Say hello.' }] }),
  signal: AbortSignal.timeout(TIMEOUT_MS),
})
const text = await answer.text()
if (!answer.ok) throw new Error(`${answer.status}: ${text.slice(0, 500)}`)
const lines = text.split('\n').filter((line) => line.startsWith('data: '))
const said = lines.filter((line) => line !== 'data: [DONE]').map((line) => JSON.parse(line.slice('data: '.length)))
const content = said.map(({ choices }) => choices?.[0]?.delta?.content ?? '').join('')
if (content === '' || lines.at(-1) !== 'data: [DONE]') throw new Error(`not a whole answer: ${text.slice(0, 500)}`)
process.stdout.write(`${said[0].model}: ${content}\n`)
