import { expect, it } from 'vitest'
import { providerKeys } from './provider-keys.ts'

const groq = { name: 'groq', env: ['GROQ_API_KEY', 'GROQ_TOKEN'] }
const cloudflare = {
  name: 'cloudflare',
  env: ['CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ACCOUNT_ID'],
  auth: { key_format: 'account_id:api_token' as const },
}

it.each<[what: string, env: Record<string, string>, keys: string[]]>([
  ['none', {}, []],
  ['an empty one', { GROQ_API_KEY: ' , ' }, []],
  ['one', { GROQ_API_KEY: ' a\n' }, ['a']],
  ['several in one variable', { GROQ_API_KEY: 'a, b\nc,,d' }, ['a', 'b', 'c', 'd']],
  ['several variables', { GROQ_TOKEN: 'b', GROQ_API_KEY: 'a' }, ['a', 'b']],
  [
    'numbered variables, by number and with gaps',
    { GROQ_API_KEY_10: 'd', GROQ_API_KEY_2: 'b', GROQ_API_KEY: 'a', GROQ_API_KEY_3: 'c' },
    ['a', 'b', 'c', 'd'],
  ],
  ['numbered variables alone', { GROQ_API_KEY_1: 'a', GROQ_API_KEY_2: 'b' }, ['a', 'b']],
  ['the same key twice', { GROQ_API_KEY: 'a,a', GROQ_TOKEN: 'a b' }, ['a', 'b']],
  ['a variable that only begins alike', { GROQ_API_KEY_OLD: 'x', GROQ_API_KEYS: 'y' }, []],
])('keys from variables: %s', (_, env, keys) => expect(providerKeys(groq, [], env)).toEqual(keys))

it('an address is no key', () => {
  expect(providerKeys({ name: 'ollama', env: ['OLLAMA_HOST'] }, [], { OLLAMA_HOST: 'http://10.0.0.2:11434' })).toEqual([])
  const custom = { name: 'custom', env: ['CUSTOM_BASE_URL', 'CUSTOM_API_KEY'] }
  expect(providerKeys(custom, [], { CUSTOM_BASE_URL: 'http://127.0.0.1:8000/v1', CUSTOM_API_KEY: 'k' })).toEqual(['k'])
})

it.each<[what: string, written: string[], env: Record<string, string>, keys: string[]]>([
  ['both in one value', [], { CLOUDFLARE_API_TOKEN: 'acc:tok' }, ['acc:tok']],
  ['two variables', [], { CLOUDFLARE_API_TOKEN: 'tok', CLOUDFLARE_ACCOUNT_ID: 'acc' }, ['acc:tok']],
  ['two tokens of one account', [], { CLOUDFLARE_API_TOKEN: 't1,t2', CLOUDFLARE_ACCOUNT_ID: 'acc' }, ['acc:t1', 'acc:t2']],
  [
    'two of each',
    [],
    { CLOUDFLARE_API_TOKEN: 't1', CLOUDFLARE_API_TOKEN_2: 't2', CLOUDFLARE_ACCOUNT_ID: 'a1', CLOUDFLARE_ACCOUNT_ID_2: 'a2' },
    ['a1:t1', 'a2:t2'],
  ],
  ['in freeway.json', ['tok', 'acc2:tok2'], { CLOUDFLARE_ACCOUNT_ID: 'acc' }, ['acc:tok', 'acc2:tok2']],
  ['a token without its account', [], { CLOUDFLARE_API_TOKEN: 'tok' }, []],
  ['an account without a token', [], { CLOUDFLARE_ACCOUNT_ID: 'acc' }, []],
])('a key of two parts: %s', (_, written, env, keys) => expect(providerKeys(cloudflare, written, env)).toEqual(keys))
