import { expect, it } from 'vitest'
import { type CatalogProvider, catalog } from '#contracts/catalog.ts'
import { accountsOf } from './keys.ts'

function providerOf(fields: object): CatalogProvider {
  const common = { name: 'groq', base_url: 'https://groq.example/openai/v1/', configured: true, models: [{ id: 'm' }] }
  return catalog.parse({ providers: [{ ...common, ...fields }], aliases: [] }).providers[0] as CatalogProvider
}
const accounts = (fields: object, keys: string[]) => Object.fromEntries(accountsOf(providerOf(fields), keys))

it('every key is an account, in order', () => {
  expect(accounts({}, ['k1', 'k2'])).toEqual({
    'groq-1': { basePath: '/openai/v1', accountId: '', headers: { authorization: 'Bearer k1' } },
    'groq-2': { basePath: '/openai/v1', accountId: '', headers: { authorization: 'Bearer k2' } },
  })
})

it.each<[what: string, fields: object, keys: string[], headers: object | undefined]>([
  ['a key that is needed and missing', {}, [], undefined],
  ['no key, for none is needed', { needs_key: false }, [], {}],
  ['a key that is set although none is needed', { needs_key: false }, ['k'], { authorization: 'Bearer k' }],
  ['an optional one', { needs_key: false, auth: { optional: true } }, ['k'], { authorization: 'Bearer k' }],
  [
    'nobody, as its provider wants it said',
    { needs_key: false, auth: { optional: true, anonymous: '0000' } },
    [],
    { authorization: 'Bearer 0000' },
  ],
  [
    'a key where nobody has a name',
    { needs_key: false, auth: { optional: true, anonymous: '0000' } },
    ['k'],
    { authorization: 'Bearer k' },
  ],
  ['a header of its own', { auth: { style: 'header', header: 'X-Api-Key' } }, ['k'], { 'x-api-key': 'k' }],
  ['none, whatever is set', { needs_key: false, auth: { style: 'none' } }, ['k'], {}],
])('who a call says it is: %s', (_, fields, keys, headers) => expect(accounts(fields, keys)['groq-1']?.headers).toEqual(headers))

it('the account of a key of two parts stands in the address', () => {
  const cloudflare = {
    base_url: 'https://api.cloudflare.example/accounts/{account_id}/ai/v1',
    auth: { key_format: 'account_id:api_token' },
  }
  expect(accounts(cloudflare, ['acc1:tok:1', 'a/2:tok2'])).toEqual({
    'groq-1': { basePath: '/accounts/acc1/ai/v1', accountId: 'acc1', headers: { authorization: 'Bearer tok:1' } },
    'groq-2': { basePath: '/accounts/a%2F2/ai/v1', accountId: 'a/2', headers: { authorization: 'Bearer tok2' } },
  })
})
