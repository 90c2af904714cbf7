// JSON from outside. Pure.
// Depth matters because JSON.parse survives 200,000 brackets, while JSON.stringify and recursive schemas overflow the stack.

export const MAX_JSON_DEPTH = 64
/** Keys and elements. More than any honest body has: a million keys keep the event loop busy for seconds. */
export const MAX_JSON_VALUES = 200_000

export class InvalidJson extends Error {
  override name = 'InvalidJson'
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Text that comes piece by piece: whether it is one JSON object by now. */
export function isWholeObject(text: string): boolean {
  if (!text.trimEnd().endsWith('}')) return false
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // more of it is to come
  }
}

/** Parses UTF-8 JSON, drops keys named `__proto__`. Throws InvalidJson (bad text, bad UTF-8, deeper than `maxDepth`, too many values). */
export function parseJson(bytes: Uint8Array, maxDepth = MAX_JSON_DEPTH): unknown {
  return readJson(bytes, maxDepth).value
}

/** As parseJson; `pruned` tells that a key was dropped, so that the text no longer says the same as the value. */
export function readJson(bytes: Uint8Array, maxDepth = MAX_JSON_DEPTH): { value: unknown; pruned: boolean } {
  if (isWiderThan(bytes, MAX_JSON_VALUES)) throw new InvalidJson(`invalid json payload: more than ${MAX_JSON_VALUES} values`)
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch {
    // The parser's own message quotes the text, which may hold secrets.
    throw new InvalidJson('invalid json payload')
  }
  return { value, pruned: sanitize(value, maxDepth) }
}

const QUOTE = 0x22
const COMMA = 0x2c
const COLON = 0x3a
const BACKSLASH = 0x5c

/** Strings are skipped by the runtime's own search, so that long ones cost next to nothing. */
function isWiderThan(bytes: Uint8Array, limit: number): boolean {
  // A value and what separates it from the next take two bytes.
  if (bytes.length < 2 * limit) return false
  let separators = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) at = endOfString(bytes, at + 1)
    else if ((byte === COMMA || byte === COLON) && ++separators > limit) return true
  }
  return false
}

/** Where the closing quote is; the end of the text if there is none. */
function endOfString(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(QUOTE, from); at >= 0; at = bytes.indexOf(QUOTE, at + 1)) {
    let escapes = 0
    while (bytes[at - 1 - escapes] === BACKSLASH) escapes++
    if (escapes % 2 === 0) return at
  }
  return bytes.length
}

/** Walks without recursion: the input may be deeper than the stack. */
function sanitize(root: unknown, maxDepth: number): boolean {
  if (typeof root !== 'object' || root === null) return false
  let pruned = false
  let level: object[] = [root]
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > maxDepth) throw new InvalidJson(`invalid json payload: nested deeper than ${maxDepth} levels`)
    const next: object[] = []
    for (const node of level) {
      if (Array.isArray(node)) {
        for (const child of node) if (typeof child === 'object' && child !== null) next.push(child)
        continue
      }
      if (Object.hasOwn(node, '__proto__')) pruned = Reflect.deleteProperty(node, '__proto__')
      for (const key in node) {
        const child = (node as Record<string, unknown>)[key]
        if (typeof child === 'object' && child !== null) next.push(child)
      }
    }
    level = next
  }
  return pruned
}
