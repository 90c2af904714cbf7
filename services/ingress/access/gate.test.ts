import { describe, expect, it } from 'vitest'
import { FreewayError } from '#contracts/failure.ts'
import { admit, isLoopback, presentedKey } from './gate.ts'

const digest = 'a'.repeat(64)
const byDigest = new Map([[digest, 'my-app']])

describe('without any client', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('needs no key from this machine: %s', (peer) => {
    expect(admit({ digest: undefined, peer }, { byDigest: new Map(), open: true })).toBe('bootstrap')
    expect(admit({ digest, peer }, { byDigest: new Map(), open: true })).toBe('bootstrap')
  })

  it.each(['10.0.0.7', '192.168.1.2', '::ffff:10.0.0.7', 'fe80::1', '::ffff:169.254.169.254', '2001:db8::1', ''])(
    'lets nobody else in without a key that is known: %s',
    (peer) => {
      expect(() => admit({ digest: undefined, peer }, { byDigest, open: true })).toThrow(FreewayError)
      expect(() => admit({ digest: 'b'.repeat(64), peer }, { byDigest, open: true })).toThrow(FreewayError)
      expect(admit({ digest, peer }, { byDigest, open: true })).toBe('my-app')
    },
  )
})

it('once there are clients, being on this machine is not enough', () => {
  const refused = () => admit({ digest: undefined, peer: '127.0.0.1' }, { byDigest, open: false })
  expect(refused).toThrow(expect.objectContaining({ status: 401, type: 'invalid_api_key' }))
  expect(admit({ digest, peer: '127.0.0.1' }, { byDigest, open: false })).toBe('my-app')
})

it.each(['1127.0.0.1', '127.0.0.1.evil.example', '127.0.0.1:80', '0.0.0.0', '::', '::2', '127.1', 'localhost', '::ffff:1270.0.0.1'])(
  'an address that only looks like this machine is another: %s',
  (address) => expect(isLoopback(address)).toBe(false),
)

describe('the key a client presents', () => {
  it.each([
    [{ authorization: 'Bearer k' }, 'k'],
    [{ authorization: 'bearer   k' }, 'k'],
    [{ 'x-api-key': 'k' }, 'k'],
    [{ 'x-admin-token': 'k' }, 'k'],
    [{ authorization: 'Basic abc', 'x-api-key': 'k' }, 'k'],
    [{ authorization: 'Bearer a b' }, undefined],
    [{ authorization: 'Bearer' }, undefined],
    [{ authorization: 'k' }, undefined],
    [{}, undefined],
  ])('of %j is %s', (headers, key) => {
    expect(presentedKey(new Headers(headers as Record<string, string>))).toBe(key)
  })
})
