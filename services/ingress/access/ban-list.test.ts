import { expect, it } from 'vitest'
import type { Ban, BanSubject } from '#contracts/account.ts'
import { banList } from './ban-list.ts'

const ban = (subject: BanSubject, change: Partial<Ban> = {}): Ban => ({ id: JSON.stringify(subject), subject, created_ms: 0, ...change })
const headers = (fields: Record<string, string>) => new Headers(fields)

it('nobody is banned by an empty list', () => {
  const list = banList([])
  expect(list.byAddress('1.2.3.4', 0)).toBeUndefined()
  expect(list.bySignature(headers({ 'user-agent': 'x' }), 0)).toBeUndefined()
})

it('a ban counts until it expires, also for who was asked about before', () => {
  const list = banList([ban({ kind: 'address', address: '1.2.3.4' }, { expires_ms: 100 })])
  expect(list.byAddress('1.2.3.4', 99)).toBeDefined()
  expect(list.byAddress('::ffff:1.2.3.4', 99)).toBeDefined()
  expect(list.byAddress('1.2.3.4', 100)).toBeUndefined()
})

it('a wider ban outlives a closer one', () => {
  const list = banList([
    ban({ kind: 'address', address: '10.0.0.1' }, { expires_ms: 100 }),
    ban({ kind: 'range', range: '10.0.0.0/8' }, { expires_ms: 200 }),
  ])
  expect(list.byAddress('10.0.0.1', 50)?.subject.kind).toBe('address')
  expect(list.byAddress('10.0.0.1', 150)?.subject.kind).toBe('range')
  expect(list.byAddress('10.0.0.1', 250)).toBeUndefined()
})

it('an address that cannot be read is not banned, and stops nothing', () => {
  const list = banList([ban({ kind: 'range', range: '0.0.0.0/0' })])
  expect(list.byAddress('', 0)).toBeUndefined()
  expect(list.byAddress('unix', 0)).toBeUndefined()
  expect(list.byAddress('8.8.8.8', 0)).toBeDefined()
  expect(list.byAddress('2001:db8::1', 0)).toBeUndefined()
})

it('a client is known by any of its headers', () => {
  const list = banList([
    ban({ kind: 'signature', header: 'user-agent', pattern: 'curl/*' }),
    ban({ kind: 'signature', header: 'x-title', pattern: 'Reseller' }, { expires_ms: 10 }),
  ])
  expect(list.bySignature(headers({ 'user-agent': 'CURL/8' }), 0)).toBeDefined()
  expect(list.bySignature(headers({ 'user-agent': 'libcurl/8' }), 0)).toBeUndefined()
  expect(list.bySignature(headers({ 'x-title': 'reseller' }), 0)).toBeDefined()
  expect(list.bySignature(headers({ 'x-title': 'reseller' }), 10)).toBeUndefined()
  expect(list.bySignature(headers({}), 0)).toBeUndefined()
})

it('forgets who was asked about when there are too many, and answers all the same', () => {
  const list = banList([ban({ kind: 'range', range: '10.0.0.0/9' })])
  for (let i = 0; i < 10_000; i++) {
    const address = `10.${i % 256}.${(i >> 8) & 255}.1`
    expect(list.byAddress(address, 0) !== undefined).toBe(i % 256 < 128)
  }
})
