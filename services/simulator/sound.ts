// Pure. Small valid sound files: a soft tone where the format is simple enough to write, silence elsewhere.

import { Buffer } from 'node:buffer'
import { writeWavHead } from '#contracts/wire/wav.ts'
import { silentFlac } from './flac.ts'

export const soundTypes = {
  mp3: 'audio/mpeg',
  wav: 'audio/wav',
  pcm: 'audio/pcm',
  aac: 'audio/aac',
  opus: 'audio/ogg',
  flac: 'audio/flac',
} as const
export type SoundFormat = keyof typeof soundTypes

const RATE = 24_000

export function makeSound(format: SoundFormat, seconds: number): Buffer {
  switch (format) {
    case 'pcm':
      return tone(seconds)
    case 'wav':
      return wav(tone(seconds))
    case 'mp3':
      return repeated(mp3Frame(), seconds / (1152 / 44_100))
    case 'aac':
      return repeated(aacFrame, seconds / (1024 / 44_100))
    case 'opus':
      return ogg(seconds)
    case 'flac':
      return silentFlac(seconds)
  }
}

/** Length of a WAV file in seconds; undefined for other files. */
export function wavSeconds(bytes: Uint8Array): number | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length < 44 || file.toString('latin1', 0, 4) !== 'RIFF') return undefined
  return Math.max(0, (file.length - 44) / (file.readUInt32LE(28) || 1))
}

/** 16 bit, mono, 24 kHz: what OpenAI calls pcm. */
function tone(seconds: number): Buffer {
  const samples = Buffer.alloc(Math.round(seconds * RATE) * 2)
  for (let i = 0; i < samples.length / 2; i++) samples.writeInt16LE(Math.round(6000 * Math.sin((2 * Math.PI * 440 * i) / RATE)), i * 2)
  return samples
}

function wav(samples: Buffer): Buffer {
  return Buffer.concat([writeWavHead(samples.length, RATE), samples])
}

/** MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono: empty side information decodes to silence. */
function mp3Frame(): Buffer {
  const frame = Buffer.alloc(417)
  frame.set([0xff, 0xfb, 0x90, 0xc4])
  return frame
}

/** ADTS, AAC-LC, 44.1 kHz, mono, one silent raw block. */
const aacFrame = Buffer.from('fff1504001bffc00c800802380', 'hex')

function repeated(frame: Buffer, times: number): Buffer {
  return Buffer.concat(Array.from({ length: Math.max(1, Math.ceil(times)) }, () => frame))
}

/** Ogg Opus (RFC 7845): a head, empty comments, then silent packets of 20 ms. */
function ogg(seconds: number): Buffer {
  const head = Buffer.from('OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00', 'latin1')
  const tags = Buffer.from('OpusTags\x07\x00\x00\x00freeway\x00\x00\x00\x00', 'latin1')
  const silent = Buffer.from([0xf8, 0xff, 0xfe])
  const packets = Array.from({ length: Math.min(250, Math.max(1, Math.ceil(seconds * 50))) }, () => silent)
  return Buffer.concat([page(2, 0, 0n, [head]), page(0, 1, 0n, [tags]), page(4, 2, BigInt(packets.length * 960), packets)])
}

function page(flags: number, sequence: number, position: bigint, packets: Buffer[]): Buffer {
  const head = Buffer.alloc(27 + packets.length)
  head.write('OggS', 0, 'latin1')
  head.writeUInt8(flags, 5)
  head.writeBigUInt64LE(position, 6)
  head.writeUInt32LE(1, 14)
  head.writeUInt32LE(sequence, 18)
  head.writeUInt8(packets.length, 26)
  for (const [i, packet] of packets.entries()) head.writeUInt8(packet.length, 27 + i)
  const whole = Buffer.concat([head, ...packets])
  whole.writeUInt32LE(checksum(whole), 22)
  return whole
}

/** Ogg's CRC-32: polynomial 04c11db7, not reflected, no start or end value. */
function checksum(bytes: Buffer): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte << 24
    for (let bit = 0; bit < 8; bit++) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1
  }
  return crc >>> 0
}
