// Pure. A prompt as numbers: ideas of the lexicon, structure, and hashed n-grams of words, of characters and of shapes.
// Buffers are used again from call to call: a prompt leaves nothing for the collector, and what is returned is valid until the next call.

import { ideaAt, ideas } from './spelling.ts'
import { kindOfNumbers, shapes, structure } from './structure.ts'

/** Hashed features have an index below `buckets`, dense ones from there on. */
export const buckets = 65_536
/** An idea anywhere, in the first words, in the last words; the structure; a constant. */
export const dense = 3 * ideas + shapes + 1

export interface Features {
  index: Int32Array
  value: Float32Array
  count: number
}

/** As much of either end as is read of a long text. */
const endChars = 2_048
const edgeChars = 90
const room = 2 * endChars + 64
const capacity = 80_000

const index = new Int32Array(capacity)
const value = new Float32Array(capacity)
const seen = new Uint32Array(buckets)
const codes = new Uint16Array(room)
const look = new Float32Array(shapes)
const present = new Uint8Array(ideas)
const order = new Int32Array(ideas)
const unknown = 255
const kinds = new Uint8Array(65_536).fill(unknown)
let turn = 0
let count = 0
let groupStart = 0
/** How loud n-grams of words and characters are: in foreign scripts they know the language rather than the task. */
let trust = 1

/** Reads at most the first and the last 2,048 characters. Blank text has no features. */
export function features(text: string): Features {
  const read = window(text)
  count = 0
  if (read === '') return { index, value, count }
  structure(read, look)
  turn = turn === 0xffff_ffff ? 1 : turn + 1
  const end = normalise(read)
  trust = 1 - 0.7 * Math.min(1, 4 * foreignShare(end))
  writeIdeas(end)
  for (let at = 0; at < shapes; at++) if (look[at] !== 0) put(buckets + 3 * ideas + at, look[at]!)
  put(buckets + dense - 1, 1)
  writeWords(end)
  writeCharacters(end)
  writeShapes(read)
  return { index, value, count }
}

function window(text: string): string {
  const whole = text.length <= 2 * endChars ? text : `${text.slice(0, endChars)}\n${text.slice(-endChars)}`
  return whole.trim().toWellFormed()
}

/** Lower case, digits as `0`, everything that is no letter as one space; a space before and after. */
function normalise(read: string): number {
  const lower = read.toLowerCase()
  let end = 0
  codes[end++] = 32
  for (let at = 0; at < lower.length && end < room - 2; at++) {
    const c = lower.charCodeAt(at)
    const kind = kindOf(c)
    if (kind === 0) {
      if (codes[end - 1] !== 32) codes[end++] = 32
    } else if (kind === 2) {
      if (codes[end - 1] !== 48 || codes[end - 2] !== 48) codes[end++] = 48
    } else codes[end++] = c
  }
  if (codes[end - 1] !== 32) codes[end++] = 32
  return end
}

function foreignShare(end: number): number {
  let foreign = 0
  for (let at = 0; at < end; at++) if (codes[at]! > 127) foreign++
  return foreign / end
}

function writeIdeas(end: number): void {
  present.fill(0)
  let found = 0
  for (let at = 1; at < end; at++) {
    if (!mayBegin(at)) continue
    const idea = ideaAt(codes, at, end)
    if (idea < 0) continue
    if (present[idea] === 0) order[found++] = idea
    present[idea]! |= 1 | (at < edgeChars ? 2 : 0) | (at > end - edgeChars ? 4 : 0)
  }
  const weight = 2.2 / Math.sqrt(found + 2)
  for (let at = 0; at < found; at++) {
    const idea = order[at]!
    put(buckets + idea, weight)
    if ((present[idea]! & 2) !== 0) put(buckets + ideas + idea, weight / 2)
    if ((present[idea]! & 4) !== 0) put(buckets + 2 * ideas + idea, weight / 2)
  }
  groupStart = count
  for (let one = 0; one < Math.min(found, 16); one++) {
    for (let two = one + 1; two < Math.min(found, 16); two++) {
      const low = Math.min(order[one]!, order[two]!)
      hashed(mix(mix(0x1dea, low), Math.max(order[one]!, order[two]!)))
    }
  }
  // How many is a sum where numbers are given, and knowledge where none is.
  const numbers = kindOfNumbers(look)
  for (let one = 0; one < Math.min(found, 16); one++) hashed(mix(mix(0x2dea, order[one]!), numbers))
  closeGroup(0.7)
}

/** Words begin after a space; in scripts without spaces anywhere; behind Semitic prefixes a few letters in. */
function mayBegin(at: number): boolean {
  if (codes[at] === 32) return false
  if (codes[at - 1] === 32) return true
  const kind = kindOf(codes[at]!)
  if (kind === 3) return true
  return kind === 4 && (codes[at - 2] === 32 || (at > 2 && codes[at - 3] === 32))
}

function writeWords(end: number): void {
  groupStart = count
  let before = 7
  let hash = 0x811c
  for (let at = 1; at < end; at++) {
    if (codes[at] !== 32) {
      hash = mix(hash, codes[at]!)
      continue
    }
    hashed(hash)
    hashed(mix(before, hash))
    before = hash
    hash = 0x811c
  }
  closeGroup(trust)
}

/** Three and four characters within a word; two and three where words are not set apart. */
function writeCharacters(end: number): void {
  groupStart = count
  for (let at = 0; at < end - 2; at++) {
    const two = mix(mix(0xc4a5, codes[at]!), codes[at + 1]!)
    if (kindOf(codes[at]!) === 3) hashed(two)
    if (codes[at + 1] === 32) continue
    const three = mix(two, codes[at + 2]!)
    hashed(three)
    if (at + 3 < end && codes[at + 2] !== 32) hashed(mix(three, codes[at + 3]!))
  }
  closeGroup(trust)
}

/** Runs of letters as `a`, digits as `0`, marks as they are: `a(a, a) {` is code in every language. */
function writeShapes(read: string): void {
  groupStart = count
  let one = 1
  let two = 1
  let three = 1
  for (let at = 0; at < read.length; at++) {
    const c = read.charCodeAt(at)
    const kind = kindOf(c)
    const now = kind === 0 ? c : kind === 2 ? 48 : 97
    if (now === one && (now === 97 || now === 48 || now === 32)) continue
    if (now !== 97 || one !== 32) {
      hashed(mix(mix(mix(0x5a, two), one), now))
      hashed(mix(mix(mix(mix(0x5b, three), two), one), now))
    }
    three = two
    two = one
    one = now
  }
  closeGroup(0.8)
}

function put(at: number, amount: number): void {
  index[count] = at
  value[count++] = amount
}

/** A feature counts once a prompt, however often it is repeated. */
function hashed(hash: number): void {
  const mixed = Math.imul(hash ^ (hash >>> 15), 0x2c1b_3c6d)
  const bucket = (mixed ^ (mixed >>> 13)) & (buckets - 1)
  if (seen[bucket] === turn) return
  seen[bucket] = turn
  index[count++] = bucket
}

/** Every group has the same length as a vector, so that long prompts are not louder. */
function closeGroup(weight: number): void {
  const amount = weight / Math.sqrt(count - groupStart + 4)
  for (let at = groupStart; at < count; at++) value[at] = amount
}

function mix(hash: number, c: number): number {
  return Math.imul(hash ^ c, 0x0100_0193) ^ (hash >>> 17)
}

/** 0 mark or space, 1 letter, 2 digit, 3 letter of a script without spaces, 4 letter of a script with joined prefixes; found out when first met. */
function kindOf(c: number): number {
  const known = kinds[c]!
  if (known !== unknown) return known
  const letter = String.fromCharCode(c)
  const spaceless = (c >= 0x0e00 && c <= 0x109f) || (c >= 0x1780 && c <= 0x17ff) || (c >= 0x3040 && c <= 0x9fff)
  const kind = /[\p{L}\p{M}\p{Cs}+#]/u.test(letter) ? (spaceless ? 3 : c >= 0x0590 && c <= 0x06ff ? 4 : 1) : /\p{Nd}/u.test(letter) ? 2 : 0
  kinds[c] = kind
  return kind
}
