import { expect, it } from 'vitest'
import type { Fields, Parts } from './merge.ts'
import { verdictOf } from './reaper.ts'

const start: Fields = { at: 100, model: 'asked', stream: true, client: 'anna', trace: 'a1' }
const granted: Fields = { at: 110, provider: 'alpha', worker: 'w' }
const ended = (result: string, at = 150): Fields => ({
  at,
  provider: 'alpha',
  model: 'm',
  result,
  sent: true,
  in: 3,
  out: 4,
  ttfb_ms: 9,
  duration_ms: 40,
})
const verdict = (parts: Parts) => verdictOf({ id: 'r', first: 100, parts })

it.each<[string, Parts, object]>([
  ['nothing but the start: lost, without an attempt', { start }, { outcome: 'lost', attempts: 0, provider: null, at: 100 }],
  [
    'granted, and nothing more: lost',
    { start, 'attempts.1.granted': granted },
    { outcome: 'lost', attempts: 1, provider: 'alpha', at: 110 },
  ],
  [
    'the worker was cancelled when its ingress died: lost, with what it used',
    { start, 'attempts.1.worker': ended('canceled(orphan)') },
    { outcome: 'lost', in: 3, out: 4, at: 150 },
  ],
  [
    'the worker had sent everything: ok',
    { start, 'attempts.1.worker': ended('ok') },
    { outcome: 'ok', status: 200, provider: 'alpha', model: 'm', in: 3, out: 4, ttfb_ms: 9, duration_ms: 50, at: 150 },
  ],
  [
    'one attempt failed, the next had sent everything: ok, with the tokens of both',
    { start, 'attempts.1.ingress': ended('rejected(429)', 120), 'attempts.2.worker': ended('ok', 160) },
    { outcome: 'ok', attempts: 2, in: 6, at: 160 },
  ],
  [
    'the ingress says that it failed, whatever the worker says: lost',
    { start, 'attempts.1.worker': ended('ok'), 'attempts.1.ingress': ended('unknown(worker_lost)') },
    { outcome: 'lost' },
  ],
  [
    'offered to a worker and never granted, for its ingress died: lost, without an attempt',
    { 'attempts.1.worker': { ...ended('expired'), sent: false, in: 0, out: 0, ttfb_ms: null } },
    { outcome: 'lost', attempts: 0, provider: null, error: 'start_unknown' },
  ],
  ['a start that was never told', { 'attempts.1.granted': granted }, { outcome: 'lost', error: 'start_unknown' }],
])('%s', (_, parts, expected) => {
  expect(verdict(parts)).toMatchObject({ id: 'r.0.req.end.telemetry', name: 'req.end', request: 'r', ...expected })
})

it('it is said of whom it was, so that it counts for them', () => {
  expect(verdict({ start })).toMatchObject({ client: 'anna', trace: 'a1', asked: 'asked', stream: true })
})

it('whoever says it, and however often, it is the same', () => {
  expect(verdict({ start })).toEqual(verdict({ start }))
})
