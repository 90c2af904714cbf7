import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clientAddress, isLoopback, networkOf, parseAddress, parseRange, rangeAround, rangeMap } from './address.ts'

describe('an address', () => {
  it.each([
    ['127.0.0.1', '::ffff:127.0.0.1'],
    ['1.2.3.4', '::ffff:102:304'],
    ['2001:DB8::1', '2001:db8:0:0:0:0:0:1'],
    ['::', '0:0:0:0:0:0:0:0'],
    ['fe80::1%eth0', 'fe80::1'],
    ['64:ff9b::1.2.3.4', '64:ff9b::102:304'],
  ])('%s is the same as %s', (one, other) => {
    expect(parseAddress(one)).toBeDefined()
    expect(parseAddress(one)).toBe(parseAddress(other))
  })

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '0x7f.1',
    '127.1',
    'localhost',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8:9',
    'g::1',
    '12345::',
    '::1.2.3',
    '::1.2.3.4:5',
    '1.2.3.4:80',
    ' 1.2.3.4',
  ])('is not what %j says', (text) => expect(parseAddress(text)).toBeUndefined())

  it('of any four bytes is what it says', () => {
    fc.assert(
      fc.property(fc.ipV4(), (text) => {
        const value = text.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
        expect(parseAddress(text)).toBe((0xffffn << 32n) | value)
      }),
    )
  })

  it('of any eight groups is found however it is shortened', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        expect(parseAddress(text)).toBeDefined()
      }),
    )
  })
})

describe('a range', () => {
  it.each(['10.0.0.0/8', '2001:db8::/32', '1.2.3.4', '1.2.3.4/32', '::/0', '0.0.0.0/0'])('may be %s', (text) =>
    expect(parseRange(text)).toBeDefined(),
  )

  it.each(['10.0.0.1/8', '1.2.3.4/33', '::/129', '1.2.3.4/', '1.2.3.4/8/8', '1.2.3.4/-1', 'x/8', '2001:db8::1/32'])('is not %s', (text) =>
    expect(parseRange(text)).toBeUndefined(),
  )
})

describe('the range around an address', () => {
  it.each([
    ['172.17.0.1/16', '172.17.0.0/16'],
    ['fd00::1%eth0/8', 'fd00::/8'],
    ['1.2.3.4', '1.2.3.4/32'],
  ])('%s is %s', (text, range) => expect(rangeAround(text)).toEqual(parseRange(range)))

  it.each(['1.2.3.4/33', 'x/8', '1.2.3.4/8/8'])('%s is none', (text) => expect(rangeAround(text)).toBeUndefined())
})

describe('ranges', () => {
  const map = rangeMap(
    ['10.0.0.0/8', '10.1.0.0/16', '192.0.2.7', '2001:db8::/32'].map((text) => [parseRange(text) ?? { prefix: 0n, bits: 0 }, text] as const),
  )
  const find = (text: string, counts = (_: string) => true) => map.find(parseAddress(text) ?? -1n, counts)

  it.each([
    ['10.2.3.4', '10.0.0.0/8'],
    ['10.1.3.4', '10.1.0.0/16'],
    ['::ffff:10.1.3.4', '10.1.0.0/16'],
    ['192.0.2.7', '192.0.2.7'],
    ['192.0.2.8', undefined],
    ['2001:db8:ffff::1', '2001:db8::/32'],
    ['2001:db9::1', undefined],
    ['11.0.0.0', undefined],
    ['9.255.255.255', undefined],
  ])('%s lies in %s', (text, range) => expect(find(text)).toBe(range))

  it('that do not count are passed over for wider ones', () => {
    expect(find('10.1.3.4', (range) => range !== '10.1.0.0/16')).toBe('10.0.0.0/8')
  })
})

describe('whom a request comes from', () => {
  const trusted = new Set(['10.0.0.1', '10.0.0.2', '::1'])
  it.each([
    ['nobody is asked: the peer', '203.0.113.5', '1.1.1.1', '203.0.113.5'],
    ['a trusted proxy says who', '10.0.0.1', '198.51.100.7', '198.51.100.7'],
    ['what the client made up stands to the left', '10.0.0.1', '1.1.1.1, 198.51.100.7', '198.51.100.7'],
    ['two of our proxies', '10.0.0.1', '1.1.1.1, 198.51.100.7, 10.0.0.2', '198.51.100.7'],
    ['our proxies alone', '10.0.0.1', '10.0.0.2', '10.0.0.2'],
    ['nothing was forwarded', '10.0.0.1', null, '10.0.0.1'],
    ['with a port', '10.0.0.1', '198.51.100.7:4711', '198.51.100.7'],
    ['IPv6 with a port', '::1', '[2001:db8::7]:4711', '2001:db8::7'],
    ['IPv6', '::1', '2001:db8::7', '2001:db8::7'],
    ['garbage stops the search', '10.0.0.1', '198.51.100.7, unknown', '10.0.0.1'],
    ['garbage behind a trusted hop', '10.0.0.1', '198.51.100.7, <script>, 10.0.0.2', '10.0.0.2'],
  ])('%s', (_, peer, forwarded, client) => {
    expect(clientAddress(peer, forwarded, (address) => trusted.has(address))).toBe(client)
  })

  it('takes time in proportion to the header', () => {
    const forwarded = `${'1.1.1.1,'.repeat(2_000)}10.0.0.2`
    expect(clientAddress('10.0.0.1', forwarded, (address) => trusted.has(address))).toBe('1.1.1.1')
  })
})

it.each(['127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])('%s is this machine', (address) => expect(isLoopback(address)).toBe(true))

it.each([
  '1127.0.0.1',
  '127.0.0.1.evil.example',
  '127.0.0.1:80',
  '0.0.0.0',
  '::',
  '::2',
  '127.1',
  'localhost',
  '::ffff:1270.0.0.1',
  '',
  '10.0.0.7',
  '::ffff:10.0.0.7',
  '128.0.0.1',
])('an address that only looks like this machine is another: %s', (address) => expect(isLoopback(address)).toBe(false))

it('a subscriber of IPv6 has a whole /64 and counts as one', () => {
  expect(networkOf('2001:db8:1:2::1')).toBe(networkOf('2001:db8:1:2:ffff::9'))
  expect(networkOf('2001:db8:1:2::1')).not.toBe(networkOf('2001:db8:1:3::1'))
  expect(networkOf('1.2.3.4')).toBe(networkOf('::ffff:1.2.3.4'))
  expect(networkOf('1.2.3.4')).not.toBe(networkOf('1.2.3.5'))
})
