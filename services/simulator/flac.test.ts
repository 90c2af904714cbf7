import { Buffer } from 'node:buffer'
import { expect, test } from 'vitest'
import { checksum, silentFlac } from './flac.ts'

test('checksums are those of the first example of RFC 9639', () => {
  const frame = Buffer.from('fff869180000bf0358fd03128b', 'hex')
  expect(checksum(frame.subarray(0, 6), 8, 0x07)).toBe(0xbf)
  expect(checksum(frame, 16, 0x8005)).toBe(0xaa9a)
})

test('half a minute is frames one behind the other, numbered, each with checksums that hold', () => {
  const file = silentFlac(30)
  const samples = 30 * 24_000
  expect(file.toString('latin1', 0, 4)).toBe('fLaC')
  // Blocks of 576, at 24 kHz, one channel of 16 bits, so many samples.
  expect(file.toString('hex', 8, 26)).toBe(`02400240${'00'.repeat(6)}05dc00f0${samples.toString(16).padStart(8, '0')}`)
  let at = 4 + 4 + 34
  let frames = 0
  for (; at < file.length; frames++) {
    const head = 4 + (frames < 128 ? 1 : 2)
    const number = frames < 128 ? [frames] : [0xc0 | (frames >> 6), 0x80 | (frames & 63)]
    expect([...file.subarray(at, at + head)]).toEqual([0xff, 0xf8, 0x27, 0x08, ...number])
    expect(file[at + head]).toBe(checksum(file.subarray(at, at + head), 8, 0x07))
    const end = at + head + 1 + 3
    expect(file.readUInt16BE(end)).toBe(checksum(file.subarray(at, end), 16, 0x8005))
    at = end + 2
  }
  expect([at, frames * 576]).toEqual([file.length, samples])
})
