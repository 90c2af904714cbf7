// Pure. How a client presents itself, held against patterns in which `*` stands for any text; case does not count.
// No regular expressions: the text is the attacker's, and this takes time in proportion to its length.

/** `curl*`, `*python-requests/2.*`: matches the whole text, so that `bot` alone bans no `robotics`. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const parts = pattern.toLowerCase().split('*')
  const first = parts[0] as string
  if (parts.length === 1) return (text) => text.toLowerCase() === first
  const last = parts[parts.length - 1] as string
  const middle = parts.slice(1, -1).filter((part) => part !== '')
  return (text) => {
    const lower = text.toLowerCase()
    if (lower.length < first.length + last.length || !lower.startsWith(first) || !lower.endsWith(last)) return false
    // The leftmost place of each part leaves the most room for those after it: no need to ever go back.
    let at = first.length
    const end = lower.length - last.length
    for (const part of middle) {
      const found = lower.indexOf(part, at)
      if (found < 0 || found + part.length > end) return false
      at = found + part.length
    }
    return true
  }
}
