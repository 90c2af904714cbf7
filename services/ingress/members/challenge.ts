// Pure. Small questions that a person answers at a glance: several kinds, each made anew from chance.
// They keep out scripts that were not written for this gateway; what keeps out the others is that every answer costs a new question.

export interface Question {
  /** At most 100 characters: what Discord shows beside a field of a form. */
  text: string
  /** Any of them is right; in the form of `normal`. */
  answers: string[]
}

/** A number from 0 to `below` - 1. */
export type Dice = (below: number) => number

/** Another kind of question is another row here. */
export const questionKinds: Readonly<Record<string, (dice: Dice) => Question>> = { arithmetic, ordering, oddOneOut, letters, pattern }

export function ask(dice: Dice): Question {
  return pick(Object.values(questionKinds), dice)(dice)
}

/** Chance from 32 bytes, the same for the same bytes. Good for some dozens of throws. */
export function diceOf(seed: Uint8Array): Dice {
  let rest = seed.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return (below) => {
    const thrown = Number(rest % BigInt(below))
    rest /= BigInt(below)
    return thrown
  }
}

export function isRight({ answers }: Question, answer: string): boolean {
  const given = normal(answer)
  // Letters that were asked for together may be typed apart.
  return answers.includes(given) || answers.includes(given.replaceAll(/ (?:and )?/g, ''))
}

/** As people may type it: `" Seven. "`, `7`. */
function normal(text: string): string {
  const plain = text
    .slice(0, 100)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, ' ')
    .trim()
  const number = numberWords.indexOf(plain.replace(' ', '-'))
  return number < 0 ? plain : String(number)
}

const small = [
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen'],
  ...['fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'],
]
const tens = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety']
/** Of 0 to 99. */
const numberWords = [...small, ...tens.flatMap((ten) => [ten, ...small.slice(1, 10).map((unit) => `${ten}-${unit}`)])]

/** Words of one kind each; no word could pass for one of another. */
const groups = [
  ['apple', 'pear', 'banana', 'cherry', 'peach', 'grape', 'lemon', 'mango'],
  ['hammer', 'drill', 'chisel', 'pliers', 'wrench', 'screwdriver', 'hacksaw', 'shovel'],
  ['tiger', 'rabbit', 'horse', 'elephant', 'badger', 'otter', 'giraffe', 'hamster'],
  ['violin', 'trumpet', 'piano', 'flute', 'guitar', 'clarinet', 'harmonica', 'cello'],
  ['jacket', 'trousers', 'sweater', 'gloves', 'scarf', 'shirt', 'socks', 'skirt'],
  ['river', 'lake', 'ocean', 'pond', 'creek', 'lagoon', 'stream', 'waterfall'],
]
const words = groups.flat()

function arithmetic(dice: Dice): Question {
  const [a, b] = [2 + dice(18), 2 + dice(18)]
  const c = 1 + dice(a + b - 1)
  const text = pick(
    [
      `What is ${word(a)} plus ${word(b)}, minus ${word(c)}?`,
      `Add ${word(b)} to ${word(a)}, then take away ${word(c)}. What is left?`,
      `Someone has ${word(a)} coins, finds ${word(b)} more and spends ${word(c)}. How many coins are left?`,
    ],
    dice,
  )
  return { text, answers: [String(a + b - c)] }
}

function ordering(dice: Dice): Question {
  if (dice(2) === 0) {
    const chosen = some(words, 4, dice)
    const first = dice(2) === 0
    const sorted = [...chosen].sort()
    return {
      text: `Which of these words comes ${first ? 'first' : 'last'} in the alphabet: ${chosen.join(', ')}?`,
      answers: [(first ? sorted[0] : sorted[3]) as string],
    }
  }
  const chosen = some(
    Array.from({ length: 89 }, (_, i) => i + 10),
    4,
    dice,
  )
  const largest = dice(2) === 0
  const shown = chosen.map((number) => (dice(2) === 0 ? word(number) : String(number)))
  return {
    text: `Which of these is the ${largest ? 'largest' : 'smallest'}: ${shown.join(', ')}?`,
    answers: [String(largest ? Math.max(...chosen) : Math.min(...chosen))],
  }
}

function oddOneOut(dice: Dice): Question {
  const [many, one] = some(groups, 2, dice) as [string[], string[]]
  const odd = pick(one, dice)
  const listed = some([...some(many, 4, dice), odd], 5, dice)
  return { text: `Which word does not belong with the others: ${listed.join(', ')}?`, answers: [odd] }
}

function letters(dice: Dice): Question {
  if (dice(2) === 0) {
    const text = pick(words, dice)
    const [one, other] = some(places, 2, dice) as [(typeof places)[number], (typeof places)[number]]
    const both = [one, other].map(([, at]) => text.at(at)).join('')
    return { text: `Write down the ${one[0]} and the ${other[0]} letter of the word "${text}".`, answers: [both] }
  }
  // Over several words, for most letters stand in a word but once.
  const text = some(words, 4, dice).join(', ')
  const letter = pick([...text.replaceAll(/[^a-z]/g, '')], dice)
  return { text: `How many times does the letter "${letter}" occur in "${text}"?`, answers: [String(text.split(letter).length - 1)] }
}

const places = [
  ['first', 0],
  ['second', 1],
  ['third', 2],
  ['last', -1],
] as const

function pattern(dice: Dice): Question {
  const start = 1 + dice(9)
  const step = 2 + dice(7)
  const doubling = dice(3) === 0
  const terms = doubling
    ? [1, 2, 4, 8, 16].map((factor) => start * factor)
    : [0, 1, 2, 3, 4].map((i) => (step % 2 === 0 ? start + i * step : 60 + start - i * step))
  return { text: `Which number comes next: ${terms.slice(0, 4).join(', ')}, …?`, answers: [String(terms[4])] }
}

function word(number: number): string {
  return numberWords[number] as string
}

function pick<T>(from: readonly T[], dice: Dice): T {
  return from[dice(from.length)] as T
}

/** So many different ones, in any order. */
function some<T>(from: readonly T[], count: number, dice: Dice): T[] {
  const rest = [...from]
  return Array.from({ length: count }, () => rest.splice(dice(rest.length), 1)[0] as T)
}
