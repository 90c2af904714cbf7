// JSON from outside. Pure.
// Depth matters because JSON.parse survives 200,000 brackets, while JSON.stringify and recursive schemas overflow the stack.

export const MAX_JSON_DEPTH = 64

export class InvalidJson extends Error {
  override name = 'InvalidJson'
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Parses UTF-8 JSON, drops keys named `__proto__`. Throws InvalidJson (bad text, bad UTF-8, deeper than `maxDepth`). */
export function parseJson(bytes: Uint8Array, maxDepth = MAX_JSON_DEPTH): unknown {
  return readJson(bytes, maxDepth).value
}

/** As parseJson; `pruned` tells that a key was dropped, so that the text no longer says the same as the value. */
export function readJson(bytes: Uint8Array, maxDepth = MAX_JSON_DEPTH): { value: unknown; pruned: boolean } {
  let value: unknown
  try {
    value = JSON.parse(decoder.decode(bytes))
  } catch {
    // The parser's own message quotes the text, which may hold secrets.
    throw new InvalidJson('invalid json payload')
  }
  return { value, pruned: sanitize(value, maxDepth) }
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
