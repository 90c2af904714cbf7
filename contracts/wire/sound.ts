// What a sound file is, by its first bytes rather than by its name, and how long it may be. Pure.

import type { MediaFile } from '../media.ts'

const byName: Record<string, string> = {
  mp3: 'audio/mpeg',
  mpeg: 'audio/mpeg',
  mpga: 'audio/mpeg',
  wav: 'audio/wav',
  ogg: 'audio/ogg',
  oga: 'audio/ogg',
  opus: 'audio/ogg',
  flac: 'audio/flac',
  webm: 'audio/webm',
  m4a: 'audio/mp4',
  mp4: 'audio/mp4',
  aac: 'audio/aac',
}

/** The name that a provider can tell the format by. */
export const soundNames: Record<string, string> = {
  'audio/mpeg': 'mp3',
  'audio/wav': 'wav',
  'audio/ogg': 'ogg',
  'audio/flac': 'flac',
  'audio/webm': 'webm',
  'audio/mp4': 'm4a',
  'audio/aac': 'aac',
}

/** Of two names for the same thing the one that is used here. */
const synonyms: Record<string, string> = {
  'audio/mp3': 'audio/mpeg',
  'audio/x-wav': 'audio/wav',
  'audio/wave': 'audio/wav',
  'audio/vnd.wave': 'audio/wav',
  'audio/x-flac': 'audio/flac',
  'audio/x-m4a': 'audio/mp4',
  'audio/m4a': 'audio/mp4',
  'video/mp4': 'audio/mp4',
  'video/webm': 'audio/webm',
  'audio/opus': 'audio/ogg',
  'application/ogg': 'audio/ogg',
  'audio/aacp': 'audio/aac',
  'audio/x-aac': 'audio/aac',
}

/** The media type of a sound file; undefined if neither its bytes, its name nor its type tell of one that is known. */
export function soundType({ bytes, name, type }: Pick<MediaFile, 'bytes' | 'name' | 'type'>): string | undefined {
  const told = plainSoundType(type)
  const ending = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  return byBytes(bytes) ?? byName[ending] ?? (Object.hasOwn(soundNames, told) ? told : undefined)
}

export function plainSoundType(type: string): string {
  return synonyms[type] ?? type
}

function byBytes(bytes: Uint8Array): string | undefined {
  const starts = (text: string, at = 0) => [...text].every((letter, i) => bytes[at + i] === letter.charCodeAt(0))
  if (starts('RIFF') && starts('WAVE', 8)) return 'audio/wav'
  if (starts('OggS')) return 'audio/ogg'
  if (starts('fLaC')) return 'audio/flac'
  if (starts('ID3')) return 'audio/mpeg'
  if (starts('ftyp', 4)) return 'audio/mp4'
  if (starts('\x1a\x45\xdf\xa3')) return 'audio/webm'
  // Frame synchronisation; the two bits of the layer are 0 in AAC alone.
  if (bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0) return ((bytes[1] ?? 0) & 0x06) === 0 ? 'audio/aac' : 'audio/mpeg'
  return undefined
}

/** Of files that do not tell how long they are: 64 kbit/s, as speech is usually kept. */
const BYTES_PER_SECOND = 8_000
/** A header that tells of less is wrong. */
const LEAST_BYTES_PER_SECOND = 1_000
const WAV_RATE_AT = 28

/** Whole seconds, at least 1: what a quota has to have room for before the provider has listened. */
export function soundSeconds({ bytes, type }: Pick<MediaFile, 'bytes' | 'type'>): number {
  const rate = type === 'audio/wav' && bytes.length > 44 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(WAV_RATE_AT, true) : 0
  return Math.max(1, Math.ceil(bytes.length / (rate >= LEAST_BYTES_PER_SECOND ? rate : BYTES_PER_SECOND)))
}
