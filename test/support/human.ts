// Answers a challenge the way a person does: by reading the question. Knows nothing of how it was made.

const small = [
  ...['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten', 'eleven', 'twelve', 'thirteen'],
  ...['fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen', 'nineteen'],
]
const tens = ['', '', 'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety']
const belongTogether = [
  /^(apple|pear|banana|cherry|peach|grape|lemon|mango)$/,
  /^(hammer|drill|chisel|pliers|wrench|screwdriver|hacksaw|shovel)$/,
  /^(tiger|rabbit|horse|elephant|badger|otter|giraffe|hamster)$/,
  /^(violin|trumpet|piano|flute|guitar|clarinet|harmonica|cello)$/,
  /^(jacket|trousers|sweater|gloves|scarf|shirt|socks|skirt)$/,
  /^(river|lake|ocean|pond|creek|lagoon|stream|waterfall)$/,
]

/** Throws if it cannot make sense of the question. */
export function answerOf(question: string): string {
  const listed = question.replace(/^[^:]*: |[?…]$/g, '').split(', ')
  if (/comes (first|last) in the alphabet/.test(question)) {
    const sorted = [...listed].sort()
    return (question.includes('first') ? sorted[0] : sorted.at(-1)) ?? ''
  }
  if (/is the (largest|smallest)/.test(question)) {
    const numbers = listed.map(numberOf)
    return String(question.includes('largest') ? Math.max(...numbers) : Math.min(...numbers))
  }
  if (question.includes('does not belong')) {
    const alone = belongTogether.flatMap((group) => {
      const members = listed.filter((word) => group.test(word))
      return members.length === 1 ? members : []
    })
    if (alone.length !== 1) throw new Error(`several could be the odd one: ${question}`)
    return alone[0] as string
  }
  if (question.startsWith('Which number comes next')) return next(question.match(/\d+/g)?.map(Number) ?? [])
  const [, letter = '', words = ''] = /letter "(.)" occur in "([^"]+)"/.exec(question) ?? []
  if (letter) return String([...words].filter((one) => one === letter).length)
  const [, first = '', second = '', word = ''] = /^Write down the (\w+) and the (\w+) letter of the word "(\w+)"/.exec(question) ?? []
  if (word) return [first, second].map((place) => word.at({ first: 0, second: 1, third: 2, last: -1 }[place] ?? Number.NaN)).join('')
  const values = (question.toLowerCase().match(/[a-z]+(-[a-z]+)?/g) ?? []).map(numberOf).filter((value) => !Number.isNaN(value))
  if (values.length !== 3) throw new Error(`cannot read: ${question}`)
  return String((values[0] as number) + (values[1] as number) - (values[2] as number))
}

function next(terms: number[]): string {
  const [a = 0, b = 0, c = 0, d = 0] = terms
  if (b - a === c - b && c - b === d - c) return String(d + (d - c))
  if (b === 2 * a && c === 2 * b && d === 2 * c) return String(2 * d)
  throw new Error(`no pattern in ${terms}`)
}

function numberOf(text: string): number {
  if (/^\d+$/.test(text)) return Number(text)
  const [first = '', second] = text.split('-')
  const ten = tens.indexOf(first)
  if (ten > 1) return ten * 10 + (second === undefined ? 0 : small.indexOf(second))
  const value = small.indexOf(text)
  return value < 0 ? Number.NaN : value
}
