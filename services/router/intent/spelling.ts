// Pure. Finds the ideas of the lexicon in normalised text: a trie walked once from every place where a word may begin.
// An idea learned from English prompts then counts in every language that spells it in lexicon.json: beginnings of words, in lower
// case and without punctuation, `_` where the word has to end. Languages need no order.

import lexicon from './lexicon.json' with { type: 'json' }

const spellings: readonly string[] = Object.values(lexicon)

/** Number of ideas; an idea is known by its place in the lexicon. */
export const ideas = spellings.length

/** Of the table of edges: a power of two, and more than twice as many as there are edges. */
const SLOTS = 65_536
const MASK = SLOTS - 1

/** Edges of the trie, by open addressing: the node and the letter of each, and the node that it leads to; 0 is free. */
const edges = new Uint32Array(SLOTS)
const targets = new Uint16Array(SLOTS)
/** By node, the idea whose spelling ends there, plus one. */
const ends = new Uint8Array(65_536)
const begins = new Uint8Array(65_536)
let nodes = 1

const COMMA = 44
const SPACE = 32
const UNDERSCORE = 95

for (const [idea, line] of spellings.entries()) learn(line, idea)

/** The idea whose longest spelling begins at `from` in `codes`, or -1. Walks no further than the longest entry. */
export function ideaAt(codes: Uint16Array, from: number, end: number): number {
  if (begins[codes[from]!] === 0) return -1
  let found = 0
  for (let at = from, node = 0; at < end; at++) {
    node = targets[slotOf(node, codes[at]!)]!
    if (node === 0) break
    if (ends[node] !== 0) found = ends[node]!
  }
  return found - 1
}

/** `function, funktion_`; of two ideas with the same spelling the first has it. */
function learn(line: string, idea: number): void {
  let node = 0
  for (let at = 0; at <= line.length; at++) {
    const letter = at < line.length ? line.charCodeAt(at) : COMMA
    if (letter === COMMA) {
      if (node !== 0 && ends[node] === 0) ends[node] = idea + 1
      node = 0
    } else if (node !== 0 || letter !== SPACE) node = following(node, letter === UNDERSCORE ? SPACE : letter)
  }
}

function following(node: number, letter: number): number {
  if (node === 0) begins[letter] = 1
  const slot = slotOf(node, letter)
  if (targets[slot] === 0) {
    if (nodes > SLOTS / 2) throw new Error('the lexicon has outgrown its table of edges')
    edges[slot] = node * 65_536 + letter
    targets[slot] = nodes++
  }
  return targets[slot]!
}

/** Where the edge is, or would be. */
function slotOf(node: number, letter: number): number {
  const edge = (node * 65_536 + letter) >>> 0
  let slot = Math.imul(edge, 0x9e37_79b1) >>> 16
  while (targets[slot] !== 0 && edges[slot] !== edge) slot = (slot + 1) & MASK
  return slot
}
