// Pure. Finds the ideas of the lexicon in normalised text: a trie walked once from every place where a word may begin.

import { lexicon } from './lexicon.ts'

const lines = lexicon.trim().split('\n')

/** Number of ideas; an idea is known by its line in the lexicon. */
export const ideas = lines.length

const next = new Map<number, number>()
const ends: number[] = [-1]
const begins = new Uint8Array(65_536)

for (const [idea, line] of lines.entries()) {
  for (const spelling of normalise(line.slice(line.indexOf(':') + 1)).split(',')) learn(spelling.trim().replace('_', ' '), idea)
}

/** The idea whose longest spelling begins at `from` in `codes`, or -1. Walks no further than the longest entry. */
export function ideaAt(codes: Uint16Array, from: number, end: number): number {
  if (begins[codes[from]!] === 0) return -1
  let found = -1
  for (let at = from, node = 0; at < end; at++) {
    const following = next.get(node * 65_536 + codes[at]!)
    if (following === undefined) break
    node = following
    if (ends[node]! >= 0) found = ends[node]!
  }
  return found
}

/** Punctuation in a spelling is a space in normalised text, and so it is here. */
function normalise(line: string): string {
  return line.toLowerCase().replaceAll(/[^\p{L}\p{M}+#,_]+/gu, ' ')
}

function learn(normal: string, idea: number): void {
  if (normal === '') return
  begins[normal.charCodeAt(0)] = 1
  let node = 0
  for (let at = 0; at < normal.length; at++) {
    const key = node * 65_536 + normal.charCodeAt(at)
    let following = next.get(key)
    if (following === undefined) {
      following = ends.length
      next.set(key, following)
      ends.push(-1)
    }
    node = following
  }
  if (ends[node] === -1) ends[node] = idea
}
