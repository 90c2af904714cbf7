import { describe, expect, it } from 'vitest'
import { catalog as catalogSchema } from '#contracts/catalog.ts'
import type { BannerFacts } from './banner.ts'
import { banner, clusterBanner } from './banner.ts'

const entry = (name: string, own: object = {}) => ({
  name,
  base_url: 'http://127.0.0.1:1/v1',
  env: [`${name.toUpperCase()}_API_KEY`],
  models: [{ id: 'm' }],
  configured: true,
  ...own,
})
const facts = (change: Partial<BannerFacts> = {}, ...providers: object[]): BannerFacts => ({
  version: '0.1.0',
  url: 'http://127.0.0.1:3001',
  bus: 'in-process',
  store: 'SQLite',
  catalog: catalogSchema.parse({ providers, aliases: [] }),
  adminToken: { token: 'secret-token', created: false, path: './data/admin-token' },
  demo: false,
  open: true,
  ...change,
})
const lineOf = (text: string, word: string) =>
  text
    .split('\n')
    .find((line) => line.trim().startsWith(word))
    ?.trim()

describe('the banner', () => {
  it('says where it listens, and a request that can be typed as it stands', () => {
    const text = banner(facts())
    expect(lineOf(text, 'API')).toBe('API        http://127.0.0.1:3001/v1')
    expect(text).toContain('curl http://127.0.0.1:3001/v1/chat/completions \\\n')
    const [, body = ''] = /-d '(.*)'/.exec(text) ?? []
    expect(JSON.parse(body)).toMatchObject({ stream: true })
  })

  it('tells the providers that can be called from those whose key is missing, and leaves out the rest', () => {
    const text = banner(
      facts(
        {},
        entry('groq'),
        entry('gemini', { configured: false }),
        entry('own', { configured: false, env: [] }),
        entry('off', { enabled: false }),
      ),
    )
    expect(lineOf(text, 'providers')).toBe('providers  groq')
    expect(lineOf(text, 'no key')).toBe('no key     gemini (GEMINI_API_KEY), own')
    expect(text).not.toContain('off')
  })

  it('names the six with the most models, and how many more lack a key', () => {
    const many = Array.from({ length: 9 }, (_, i) =>
      entry(`p${i}`, { configured: false, env: [], models: Array.from({ length: i + 1 }, (_, m) => ({ id: `m${m}` })) }),
    )
    expect(lineOf(banner(facts({}, ...many)), 'no key')).toBe('no key     p8, p7, p6, p5, p4, p3 and 3 more')
  })

  it('says so when there is no provider, and nothing of keys when none is missing', () => {
    expect(lineOf(banner(facts()), 'providers')).toBe('providers  none')
    expect(lineOf(banner(facts({}, entry('groq'))), 'no key')).toBeUndefined()
  })

  it.each([
    ['is shown when it was made', { created: true }, 'admin      token secret-token  (kept in ./data/admin-token, shown only now)'],
    ['is not shown again', {}, 'admin      token in ./data/admin-token'],
    ['of the environment is never shown', { path: undefined }, 'admin      token from FREEWAY_ADMIN_TOKEN'],
  ])('the admin token %s', (_, change, line) => {
    const { adminToken } = facts()
    const text = banner(facts({ adminToken: { ...adminToken, ...change } }))
    expect(lineOf(text, 'admin')).toBe(line)
    expect(text.includes('secret-token')).toBe(line.includes('secret-token'))
  })

  it('says whether a key is needed', () => {
    expect(lineOf(banner(facts()), 'access')).toBe('access     without a key from this machine, until there is a client')
    expect(lineOf(banner(facts({ open: false })), 'access')).toBe('access     with the key of a client')
    expect(banner(facts({ open: false }))).toContain('authorization')
    expect(banner(facts())).not.toContain('authorization')
  })

  it('says that answers are those of the demo, only if they are', () => {
    expect(banner(facts({ demo: true }))).toContain('Answers come from the built-in demo')
    expect(banner(facts())).not.toContain('demo')
  })
})

describe('the banner of a cluster', () => {
  const urls = ['http://127.0.0.1:3001', 'http://127.0.0.1:3002']

  it('says where its ingresses listen, and a request to the first of them', () => {
    const text = clusterBanner({ ...facts(), urls, bus: 'NATS at nats://127.0.0.1:4222' })
    expect(lineOf(text, 'API')).toBe('API        http://127.0.0.1:3001/v1  http://127.0.0.1:3002/v1')
    expect(lineOf(text, 'bus')).toBe('bus        NATS at nats://127.0.0.1:4222')
    expect(text).toContain('curl http://127.0.0.1:3001/v1/chat/completions \\\n')
  })

  it('shows the admin token when it was made', () => {
    const { adminToken } = facts()
    const line = (created: boolean) => lineOf(clusterBanner({ ...facts(), urls, adminToken: { ...adminToken, created } }), 'admin')
    expect([line(true), line(false)]).toEqual([
      'admin      token secret-token  (kept in ./data/admin-token, shown only now)',
      'admin      token in ./data/admin-token',
    ])
  })
})
