// Pure. What a prompt looks like, whatever its language: fences, indentation, brackets, numbers, formulas, length. One pass over the characters.

/** Number of values that `structure` writes. */
export const shapes = 40

/** Writes values between 0 and 1 to `into`; `text` is a window of a prompt, not a megabyte. */
export function structure(text: string, into: Float32Array): void {
  const n = new Float64Array(32)
  const length = text.length
  let lineStart = true
  let inNumber = false
  let before = 10
  for (let at = 0; at < length; at++) {
    const c = text.charCodeAt(at)
    if (lineStart) {
      n[0]!++
      if (c === 32 || c === 9) n[1]!++
      if (c === 65 + (n[29]! % 5) && isOptionMark(text.charCodeAt(at + 1))) n[29]!++
      lineStart = false
    }
    const digit = isDigit(c)
    if (digit) {
      n[2]!++
      if (!inNumber) n[3]!++
    }
    inNumber = digit || (inNumber && (c === 46 || c === 44))
    if (c === 10) {
      lineStart = true
      if (before === 59 || before === 123 || before === 125) n[4]!++
      if (before === 58) n[5]!++
    } else if (c === 96) {
      n[6]!++
      if (before === 96 && text.charCodeAt(at + 1) === 96) n[7]!++
    } else if (c === 40 || c === 41) n[8]!++
    else if (c === 123 || c === 125 || c === 91 || c === 93) n[9]!++
    else if (c === 59) n[10]!++
    else if (c === 61) n[11]!++
    else if (c === 43 || c === 42 || c === 94 || c === 0xd7 || c === 0xf7) n[12]!++
    else if (c === 37) n[13]!++
    else if (c === 36 || c === 0x20ac || c === 0xa3 || c === 0xa5) n[14]!++
    else if (c === 92) n[15]!++
    else if (c === 95) n[16]!++
    else if (c === 60 || c === 62) n[17]!++
    else if (c === 47) n[18]!++
    else if (isQuestion(c) || c === 0x37e) n[19]!++
    else if (c === 34 || c === 39) n[20]!++
    else if (c === 35 || c === 64) n[21]!++
    else if (c === 46 && isLower(before) && isLower(text.charCodeAt(at + 1))) n[22]!++
    if (c >= 65 && c <= 90 && isLower(before)) n[23]!++
    if (c === 40 && (isLower(before) || before === 95)) n[24]!++
    if (c > 127) n[25]!++
    if (c >= 0x2200 && c <= 0x22ff) n[26]!++
    if ((c === 46 || c === 0x3002 || c === 0x964 || c === 0x589 || c === 0x1362 || c === 0x104b) && !inNumber) n[27]!++
    if (c === 33 || c === 0xff01) n[28]!++
    before = c
  }
  write(n, length, text, into)
}

/** Of what `structure` wrote: no number, one, some or many; of either, whether it ends with a question mark. */
export function kindOfNumbers(look: Float32Array): number {
  const many = look[NO_NUMBER] !== 0 ? 0 : look[NO_NUMBER + 1] !== 0 ? 1 : look[NO_NUMBER + 2] !== 0 ? 2 : 3
  return 2 * many + (look[ENDS_WITH_QUESTION] !== 0 ? 1 : 0)
}

const NO_NUMBER = 32
const ENDS_WITH_QUESTION = 38

function write(n: Float64Array, length: number, text: string, into: Float32Array): void {
  const per = 1 / (length + 20)
  let slot = 0
  for (let at = 1; at < 29; at++) into[slot++] = Math.min(1, Math.log2(1 + n[at]!) / 6)
  into[slot++] = Math.min(1, n[2]! * per * 5)
  into[slot++] = Math.min(1, (n[8]! + n[9]! + n[10]! + n[11]!) * per * 10)
  into[slot++] = n[1]! / (n[0]! + 1)
  into[slot++] = n[29]! >= 3 ? 1 : 0
  into[slot++] = n[3]! === 0 ? 1 : 0
  into[slot++] = n[3]! === 1 ? 1 : 0
  into[slot++] = n[3]! > 1 && n[3]! < 9 ? 1 : 0
  into[slot++] = length < 60 ? 1 : 0
  into[slot++] = length >= 60 && length < 400 ? 1 : 0
  into[slot++] = length > 1500 ? 1 : 0
  into[slot++] = isQuestion(text.charCodeAt(length - 1)) ? 1 : 0
  into[slot++] = n[7]! > 0 ? 1 : 0
}

/** Latin, Arabic, Persian, all of India, Thai, Lao, Burmese, Khmer and full-width digits. */
function isDigit(c: number): boolean {
  if (c < 128) return c >= 48 && c <= 57
  if (c < 0x900) return (c >= 0x660 && c <= 0x669) || (c >= 0x6f0 && c <= 0x6f9)
  // Every script of India has a block of 128, with its digits in the same place.
  if (c < 0xe00) return (c & 0x7f) >= 0x66 && (c & 0x7f) <= 0x6f
  if (c < 0xf00) return (c & 0x7f) >= 0x50 && (c & 0x7f) <= 0x59
  return (c >= 0x1040 && c <= 0x1049) || (c >= 0x17e0 && c <= 0x17e9) || (c >= 0xff10 && c <= 0xff19)
}

const isLower = (c: number) => c >= 97 && c <= 122
const isQuestion = (c: number) => c === 63 || c === 0xff1f || c === 0x61f || c === 0x55e || c === 0x1367
const isOptionMark = (c: number) => c === 46 || c === 41 || c === 0xff0e || c === 0x3001
