import { describe, expect, it } from 'vitest'
import type { RequestEntry } from '#contracts/question.ts'
import type { Told } from './asking.ts'
import { type Deed, type Evidence, isExcused, judge, mostWithin } from './judge.ts'
import type { Seen } from './upstreams.ts'

const AT = 1_000_000
const told = (more: Partial<Told> = {}): Told => ({
  trace: 'a',
  client: 'plain',
  format: 'chat',
  stream: true,
  sentAt: AT,
  firstAt: AT + 10,
  endedAt: AT + 100,
  url: 'http://one',
  status: 200,
  requestId: 'r1',
  retryAfter: undefined,
  text: 'whole',
  ended: true,
  error: undefined,
  broken: false,
  hung: false,
  tail: undefined,
  ...more,
})
const seen = (more: Partial<Seen> = {}): Seen => ({
  provider: 'delta',
  key: 'k',
  trace: 'a',
  receivedAt: AT + 5,
  closedAt: AT + 90,
  completed: true,
  ...more,
})
const attempt = { result: 'ok' } as RequestEntry['attempts'][number]
const entry = (more: Partial<RequestEntry> = {}): RequestEntry =>
  ({ id: 'r1', outcome: 'ok', attempts: [attempt], ...more }) as RequestEntry
const deed = (more: Partial<Deed> = {}): Deed => ({
  what: 'kill',
  role: 'ingress',
  name: 'ingress-0',
  at: AT + 50,
  wholeAt: AT + 1_000,
  url: 'http://one',
  ...more,
})
const evidence = (more: Partial<Evidence> = {}): Evidence => ({
  told: [told()],
  seen: [seen()],
  entries: [entry()],
  deeds: [],
  stalls: [],
  badExits: [],
  rolledUp: 1,
  ...more,
})
const rules = (more: Partial<Evidence>) => judge(evidence(more)).map(({ rule }) => rule)

it('a run in which all went well has no breach', () => {
  expect(judge(evidence())).toEqual([])
})

const refused = { status: 503, error: 'server_error', text: 'prefix', ended: false } as const
const cut = { text: 'prefix', ended: false, broken: true } as const

describe.each<[string, Partial<Evidence>, string]>([
  ['a request that hangs', { told: [told({ hung: true, ...cut })], entries: [entry({ outcome: 'truncated' })] }, 'no request hangs'],
  ['bytes that came twice', { told: [told({ text: 'wrong' })] }, 'what is read is what the provider said, once and in order'],
  ['an answer that ends early as if it were whole', { told: [told({ text: 'prefix' })] }, 'no answer is cut silently'],
  [
    'a connection that breaks without a word',
    { told: [told(cut)], entries: [entry({ outcome: 'truncated' })] },
    'a failure says what it is',
  ],
  [
    'a refusal in a roll',
    { told: [told(refused)], entries: [entry({ outcome: 'x' })], deeds: [deed({ what: 'roll', at: AT - 1 })] },
    'a rolling restart fails no request and breaks no stream',
  ],
  ['a second call for one attempt', { seen: [seen(), seen()] }, 'calls = granted attempts'],
  ['an answer that no provider gave', { seen: [] }, 'an answer comes from a provider'],
  ['a call for nobody', { seen: [seen(), seen({ trace: 'b' })] }, 'nothing is called that nobody asked for'],
  ['a request that was not recorded', { entries: [], rolledUp: 0 }, 'every request is recorded once'],
  ['a request whose end was not recorded', { entries: [entry({ outcome: 'open' })], rolledUp: 0 }, 'every request has an outcome'],
  ['a record that says otherwise', { entries: [entry({ outcome: 'truncated' })] }, 'records say what the client saw'],
  ['a record of nothing', { entries: [entry(), entry({ id: 'r2' })], rolledUp: 2 }, 'nothing is recorded that nobody asked for'],
  ['a request that is counted twice', { rolledUp: 2 }, 'roll-ups count every request once'],
  ['a process that ends badly', { badExits: ['router-0 ended with 1'] }, 'who is asked to end ends well'],
  [
    'seven calls at once of six',
    {
      told: [told()],
      seen: Array.from({ length: 7 }, () => seen({ provider: 'gamma' })),
      entries: [entry({ attempts: Array(7).fill(attempt) })],
    },
    'no quota is exceeded',
  ],
  [
    'a client with more requests than its minute holds',
    { told: Array.from({ length: 91 }, () => told({ client: 'minute' })), entries: [entry({ attempts: [attempt] })] },
    'no quota is exceeded',
  ],
])('%s', (_, more, rule) => {
  it(`breaks: ${rule}`, () => {
    expect(rules(more)).toContain(rule)
  })
})

it('a connection may break when its ingress is killed, and what it had not told yet may be missing', () => {
  expect(rules({ told: [told({ ...cut, requestId: 'r1' })], entries: [], rolledUp: 0, deeds: [deed()] })).toEqual([])
  expect(rules({ told: [told({ ...cut, requestId: 'r1' })], entries: [], rolledUp: 0, deeds: [deed({ url: 'http://two' })] })).not.toEqual(
    [],
  )
})

it('a limit of the client itself is no failure', () => {
  const limited = told({ client: 'minute', status: 429, error: 'rate_limit_error', text: 'prefix', ended: false })
  expect(rules({ told: [limited], seen: [], entries: [], rolledUp: 0, deeds: [deed({ what: 'roll', at: AT - 1 })] })).toEqual([])
})

it('only who is given up in clear words while the machine stands still is excused', () => {
  const stalls = [{ at: AT + 200, ms: 600 }]
  expect(isExcused(told(refused), stalls)).toBe(true)
  expect(isExcused(told(refused), [{ at: AT + 200, ms: 200 }])).toBe(false)
  expect(isExcused(told(refused), [{ at: AT + 20_000, ms: 600 }])).toBe(false)
  expect(isExcused(told({ ...cut }), stalls)).toBe(false)
})

it('what may have happened outside of a window does not count in it', () => {
  const at = (from: number, to = from) => ({ from, to })
  expect(mostWithin([at(0), at(5), at(10)], 10)).toBe(2)
  expect(mostWithin([at(0), at(5, 12), at(9)], 10)).toBe(2)
  expect(mostWithin([], 10)).toBe(0)
})
