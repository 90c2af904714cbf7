import { expect, test } from 'vitest'
import { writeWavHead } from './wav.ts'

// A file of one second at 24 kHz as Python's module `wave` heads it.
const known = '52494646a4bb000057415645666d74201000000001000100c05d000080bb00000200100064617461' + '80bb0000'

test('the head of a second of 24 kHz says its sizes, its rate and one channel of 16 bits', () => {
  expect(Buffer.from(writeWavHead(48_000, 24_000)).toString('hex')).toBe(known)
})
