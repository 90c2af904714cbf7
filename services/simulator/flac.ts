// Pure. Silence as FLAC: one constant subframe per frame. Source: RFC 9639.

import { Buffer } from 'node:buffer'

const RATE = 24_000
/** Of a frame; small enough that the number of a frame stays below 2048 for half a minute. */
const SAMPLES = 576

/** 16 bit, mono, 24 kHz. At most 49 seconds. */
export function silentFlac(seconds: number): Buffer {
  const count = Math.max(1, Math.ceil((seconds * RATE) / SAMPLES))
  return Buffer.concat([Buffer.from('fLaC', 'latin1'), streamInfo(count * SAMPLES), ...Array.from({ length: count }, (_, at) => frame(at))])
}

/** The last and only block of metadata; neither the size of frames nor a digest is told. */
function streamInfo(samples: number): Buffer {
  const block = Buffer.alloc(4 + 34)
  block.writeUInt32BE(0x80000000 + 34, 0)
  block.writeUInt16BE(SAMPLES, 4)
  block.writeUInt16BE(SAMPLES, 6)
  // Rate in 20 bits, channels less one in 3, bits per sample less one in 5, then 36 for the number of samples.
  block.writeUInt32BE(RATE * 2 ** 12 + (15 << 4), 14)
  block.writeUInt32BE(samples, 18)
  return block
}

/** 576 samples at 24 kHz, one channel, 16 bits, all of them zero. */
function frame(number: number): Buffer {
  const coded = number < 0x80 ? [number] : [0xc0 | (number >> 6), 0x80 | (number & 0x3f)]
  const head = [0xff, 0xf8, 0x27, 0x08, ...coded]
  const body = [...head, checksum(head, 8, 0x07), 0x00, 0x00, 0x00]
  const sum = checksum(body, 16, 0x8005)
  return Buffer.from([...body, sum >> 8, sum & 0xff])
}

/** A CRC of so many bits, not reflected, without start or end value. */
export function checksum(bytes: Iterable<number>, bits: 8 | 16, polynomial: number): number {
  const top = 1 << (bits - 1)
  const mask = (1 << bits) - 1
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << (bits - 8)
    for (let bit = 0; bit < 8; bit++) crc = ((crc & top) === 0 ? crc << 1 : (crc << 1) ^ polynomial) & mask
  }
  return crc
}
