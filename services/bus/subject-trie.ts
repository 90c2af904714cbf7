// Which subscriptions a subject reaches. Pure.

interface Node<T> {
  children: Map<string, Node<T>>
  here: T[]
  rest: T[]
}

/** Patterns with `*` (one token) and `>` (one token or more), looked up by subject in time that does not grow with their number. */
export class SubjectTrie<T> {
  readonly #root: Node<T> = node()

  add(pattern: string, value: T): void {
    this.#list(pattern).push(value)
  }

  /** Takes out one `value` that was added under `pattern`. */
  remove(pattern: string, value: T): void {
    const list = this.#list(pattern)
    const at = list.indexOf(value)
    if (at >= 0) list.splice(at, 1)
    if (list.length === 0) prune(this.#root, pattern.split('.'), 0)
  }

  match(subject: string): T[] {
    const found: T[] = []
    collect(this.#root, subject.split('.'), 0, found)
    return found
  }

  #list(pattern: string): T[] {
    let at = this.#root
    for (const token of pattern.split('.')) {
      if (token === '>') return at.rest
      const next = at.children.get(token) ?? node<T>()
      at.children.set(token, next)
      at = next
    }
    return at.here
  }
}

/** True if `subject` is one of those that `pattern` stands for. */
export function matches(pattern: string, subject: string): boolean {
  const wanted = pattern.split('.')
  const tokens = subject.split('.')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '>') return tokens.length > i
    if (i >= tokens.length || (wanted[i] !== '*' && wanted[i] !== tokens[i])) return false
  }
  return wanted.length === tokens.length
}

function node<T>(): Node<T> {
  return { children: new Map(), here: [], rest: [] }
}

function collect<T>(at: Node<T>, tokens: string[], i: number, found: T[]): void {
  if (i === tokens.length) {
    found.push(...at.here)
    return
  }
  found.push(...at.rest)
  const exact = at.children.get(tokens[i] as string)
  if (exact) collect(exact, tokens, i + 1, found)
  const any = at.children.get('*')
  if (any) collect(any, tokens, i + 1, found)
}

/** Removes branches that hold nothing any more, so that subjects used once leave no trace. */
function prune<T>(at: Node<T>, tokens: string[], i: number): void {
  const token = tokens[i]
  const child = token === undefined ? undefined : at.children.get(token)
  if (!child || token === undefined) return
  prune(child, tokens, i + 1)
  if (child.children.size === 0 && child.here.length === 0 && child.rest.length === 0) at.children.delete(token)
}
