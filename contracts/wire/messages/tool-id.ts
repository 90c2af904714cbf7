// Ids of tool calls: Anthropic's are `toolu_` and letters, digits, `_` and `-`; other providers' may be anything, and some insist on
// getting back their own. So a foreign id is told in Anthropic's alphabet, and found again in what the client sends next. Pure.

const PLAIN = 'toolu_fw_'
const ENCODED = 'toolu_fx_'
const ANTHROPICS = /^[A-Za-z0-9_-]+$/

/** The id as a Messages client sees it. */
export function tellId(id: string): string {
  if (id.startsWith('toolu_') && ANTHROPICS.test(id) && !id.startsWith(PLAIN) && !id.startsWith(ENCODED)) return id
  return ANTHROPICS.test(id) && id !== '' ? PLAIN + id : ENCODED + hexOf(id)
}

/** The id as its provider gave it. */
export function ownId(id: string): string {
  if (id.startsWith(PLAIN)) return id.slice(PLAIN.length)
  if (!id.startsWith(ENCODED)) return id
  return textOf(id.slice(ENCODED.length)) ?? id
}

/** Ids as a provider that speaks Messages takes them; two that differ stay different. */
export function createIdCleaner(): (id: string) => string {
  const cleaned = new Map<string, string>()
  const taken = new Set<string>()
  return (id) => {
    const known = cleaned.get(id)
    if (known !== undefined) return known
    const stem = id.replaceAll(/[^A-Za-z0-9_-]/g, '_') || 'call'
    let clean = stem
    for (let n = 2; taken.has(clean); n++) clean = `${stem}_${n}`
    taken.add(clean)
    cleaned.set(id, clean)
    return clean
  }
}

function hexOf(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function textOf(hex: string): string | undefined {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) return undefined
  return new TextDecoder().decode(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
}
