// How much of a subject decides who receives it: as many tokens as the deepest pattern of its family looks at. Pure.

/** Subjects and patterns of one family share their first tokens: `fw.v1.in`, `fw.v1.ctl`, ... */
const FAMILY_TOKENS = 3

export class PatternDepths {
  /** Family → depth → how many patterns look that deep. */
  readonly #families = new Map<string, Map<number, number>>()
  /** The deepest of each family, kept beside. */
  readonly #deepest = new Map<string, number>()
  /** Patterns with a wildcard among the first tokens concern every family. */
  #unbounded = 0

  add(pattern: string): void {
    this.#count(pattern, 1)
  }

  remove(pattern: string): void {
    this.#count(pattern, -1)
  }

  /** Subjects of equal beginning reach the same subscriptions. */
  beginningOf(subject: string): string {
    if (this.#unbounded > 0) return subject
    const first = beginning(subject, FAMILY_TOKENS)
    const deepest = this.#deepest.get(first.endsWith('.') ? first.slice(0, -1) : first)
    return deepest === undefined ? first : beginning(subject, deepest)
  }

  #count(pattern: string, by: number): void {
    const tokens = pattern.split('.')
    const bounded = tokens.length > FAMILY_TOKENS || (tokens.length === FAMILY_TOKENS && tokens.at(-1) !== '>')
    if (!bounded || tokens.slice(0, FAMILY_TOKENS).some((token) => token === '*' || token === '>')) {
      this.#unbounded += by
      return
    }
    const family = tokens.slice(0, FAMILY_TOKENS).join('.')
    const depth = tokens.at(-1) === '>' ? tokens.length - 1 : tokens.length
    const depths = this.#families.get(family) ?? new Map<number, number>()
    this.#families.set(family, depths)
    const count = (depths.get(depth) ?? 0) + by
    if (count > 0) depths.set(depth, count)
    else depths.delete(depth)
    if (depths.size === 0) {
      this.#families.delete(family)
      this.#deepest.delete(family)
    } else this.#deepest.set(family, Math.max(...depths.keys()))
  }
}

/** The first `tokens` tokens and, if more follow, the dot behind them: a pattern may be the very subject, so its end counts. */
function beginning(subject: string, tokens: number): string {
  let at = -1
  for (let i = 0; i < tokens; i++) {
    at = subject.indexOf('.', at + 1)
    if (at < 0) return subject
  }
  return subject.slice(0, at + 1)
}
