import { expect, it } from 'vitest'
import { presented, secretCheck } from './credentials.ts'

const secret = 'Zk3vQ9xR7mW2pL5tN8bH'

it.each([secret.slice(0, -1), `${secret}x`, secret.toLowerCase(), ` ${secret}`, '', 'x'.repeat(100_000)])(
  'only the secret itself is it, not %j',
  (key) => {
    expect(secretCheck(secret)(secret)).toBe(true)
    expect(secretCheck(secret)(key)).toBe(false)
  },
)

/** As Deno hands them on: a header that was sent twice is joined. */
const web = (headers: Record<string, string>, url = 'http://gateway.invalid/v1/models') => new Request(url, { headers })
/** As Node does: joined or dropped for everybody, still apart in the raw list. */
function node(...raw: [string, string][]): Request {
  const runtime = { node: { req: { rawHeaders: raw.flat() } } }
  return Object.assign(web(Object.fromEntries(raw.map(([name, value]) => [name.toLowerCase(), value]))), { runtime })
}

it.each<[string, Request, string | undefined]>([
  ['once', node(['Authorization', 'Bearer k']), 'k'],
  ['once in each of two headers', node(['Authorization', 'Bearer k'], ['X-Api-Key', 'other']), 'k'],
  ['twice', node(['Authorization', 'Bearer k'], ['AUTHORIZATION', 'Bearer k']), undefined],
  ['twice as x-api-key', node(['x-api-key', 'k'], ['X-API-KEY', 'k']), undefined],
  ['twice as x-admin-token', node(['x-admin-token', 'k'], ['X-Admin-Token', 'k']), undefined],
  ['twice and joined', web({ 'x-api-key': 'k, k' }), undefined],
  ['once on the web', web({ 'x-api-key': 'k' }), 'k'],
  ['not at all', web({}), undefined],
])('a key that comes %s', (_, request, key) => expect(presented(request).key).toBe(key))

it.each(['?key=abc', '?x=1&api_key=abc', '?access_token=abc', '?API_KEY=abc'])(
  'a key in the URL is no key, and its sender is told so: %s',
  (query) => {
    const { key, hint } = presented(web({}, `http://gateway.invalid/v1/models${query}`))
    expect(key).toBeUndefined()
    expect(hint).toContain('in the URL')
    expect(hint).not.toContain('abc')
  },
)

it('a parameter that is no key is none of our business', () => {
  expect(presented(web({}, 'http://gateway.invalid/v1/models?beta=true&monkey=1')).hint).toBeUndefined()
})

/** Welch's t of the times of two inputs, in turns, the slowest tenth left out. */
function welch(check: (key: string) => boolean, a: string, b: string): number {
  const times: [number[], number[]] = [[], []]
  for (let i = 0; i < 4_000; i++) {
    const which = (i ^ (i >> 1)) & 1
    const startedNs = process.hrtime.bigint()
    for (let j = 0; j < 2; j++) check(which ? a : b)
    times[which]?.push(Number(process.hrtime.bigint() - startedNs))
  }
  const [x, y] = times.map((all) => {
    const kept = all.slice(500).sort((p, q) => p - q)
    kept.length = Math.floor(kept.length * 0.9)
    const mean = kept.reduce((sum, each) => sum + each, 0) / kept.length
    return { n: kept.length, mean, variance: kept.reduce((sum, each) => sum + (each - mean) ** 2, 0) / (kept.length - 1) }
  }) as [Sample, Sample]
  return Math.abs(x.mean - y.mean) / Math.sqrt(x.variance / x.n + y.variance / y.n)
}
interface Sample {
  n: number
  mean: number
  variance: number
}

it('the time of a comparison tells nothing of how much of a key is right', () => {
  const own = secret.repeat(40)
  const nearly = `${own.slice(0, -1)}!`
  const wrong = `!${own.slice(1)}`
  const best = (check: (key: string) => boolean) => Math.min(...[1, 2, 3, 4].map(() => welch(check, nearly, wrong)))
  expect(best(secretCheck(own))).toBeLessThan(4.5)
  // The measure finds a comparison that stops at the first difference.
  const hasty = (key: string) => {
    let i = 0
    while (i < own.length && key[i] === own[i]) i++
    return i === own.length
  }
  expect(best(hasty)).toBeGreaterThan(4.5)
})
