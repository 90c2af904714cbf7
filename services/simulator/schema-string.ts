// Pure. A string for one field of a schema: what the user said for it, else an example of the right form.

const byFormat: Record<string, string> = {
  date: '2026-01-31',
  time: '12:30:00Z',
  'date-time': '2026-01-31T12:30:00Z',
  duration: 'PT1H',
  email: 'ada@example.com',
  hostname: 'example.com',
  ipv4: '192.0.2.1',
  ipv6: '2001:db8::1',
  uri: 'https://example.com/',
  url: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000001',
}

const fillers = new Set('a an and are as at be exactly for from in is it of on or should that the this to was with'.split(' '))

export function stringFor(schema: Record<string, unknown>, name: string, said: string): string {
  const format = byFormat[String(schema['format'])]
  if (format) return format
  if (typeof schema['pattern'] === 'string') return matching(schema['pattern'])
  const text = saidFor(name, said) ?? firstText(schema['default'], (schema['examples'] as unknown[] | undefined)?.[0]) ?? exampleFor(name)
  return withLength(text, schema['minLength'], schema['maxLength'])
}

/** "content exactly: ..." (all that follows), "path notes.md", a quoted text, "in Paris", or the whole question where a field asks for it. */
function saidFor(name: string, said: string): string | undefined {
  const field = name
    .replaceAll(/[_-]/g, ' ')
    .replaceAll(/[^\p{L}\p{N} ]/gu, '')
    .toLowerCase()
  if (!field || !said) return undefined
  const rest = new RegExp(`\\b${field}(?: exactly| text)?:\\s*([\\s\\S]+)$`, 'iu').exec(said)?.[1]
  if (rest) return rest.trim()
  const next = new RegExp(`\\b${field}\\s+(?:is |of |named |called |= ?)?["'“\`]?([\\p{L}\\p{N}][^\\s"'”\`,;?]*)`, 'iu').exec(said)?.[1]
  if (next && !fillers.has(next.toLowerCase())) return next.replace(/[.!]+$/, '')
  if (/expression|formula|calculation/.test(field)) return /[\d.]+(?:\s*[-+*/x×÷]\s*[\d.]+)+/.exec(said)?.[0] ?? said
  if (/query|question|prompt|text|input|message|topic/.test(field)) return said
  const quoted = /["“`]([^"”`]{1,200})["”`]/.exec(said)?.[1]
  return quoted ?? /\b(?:in|at|for|to|from|of|about)\s+(\p{Lu}[\p{L}\p{N}'’-]*(?:\s+\p{Lu}[\p{L}\p{N}'’-]*)*)/u.exec(said)?.[1]
}

function exampleFor(name: string): string {
  const field = name.toLowerCase()
  if (/e-?mail/.test(field)) return 'ada@example.com'
  if (/url|link|website/.test(field)) return 'https://example.com/'
  if (/date|day/.test(field)) return '2026-01-31'
  if (/path|file/.test(field)) return 'example.txt'
  if (/city|location|place|town/.test(field)) return 'Paris'
  if (/country/.test(field)) return 'France'
  if (/name|author|person|user/.test(field)) return 'Ada Lovelace'
  return field ? `example ${field.replaceAll(/[_-]/g, ' ')}` : 'example'
}

function withLength(text: string, minLength: unknown, maxLength: unknown): string {
  const least = typeof minLength === 'number' ? Math.min(minLength, 100_000) : 0
  const padded = text.length < least ? text.padEnd(least, '.') : text
  return typeof maxLength === 'number' ? [...padded].slice(0, maxLength).join('') : padded
}

/** A string for a simple pattern: literals, classes, \d \w \s, groups (first alternative) and counts. No look-around. */
function matching(pattern: string): string {
  let text = ''
  let rest = pattern.replace(/^\^/, '').replace(/\$$/, '')
  while (rest) {
    const atom = /^(?:\\.|\[(?:\\.|[^\]])+\]|\((?:\?:)?(?:\\.|\[[^\]]*\]|[^()])*\)|[\s\S])/u.exec(rest)?.[0] ?? rest
    const times = /^(?:\{(\d+)(?:,\d*)?\}|([*?+]))\??/.exec(rest.slice(atom.length))
    const least = times ? Number(times[1] ?? (times[2] === '+' ? 1 : 0)) : 1
    for (let i = 0; i < Math.min(least, 1000); i++) text += one(atom)
    rest = rest.slice(atom.length + (times?.[0].length ?? 0))
  }
  return text
}

function one(atom: string): string {
  if (atom.startsWith('(')) return matching(atom.slice(1, -1).replace(/^\?:/, '').split('|')[0] ?? '')
  if (atom === '.' || atom.startsWith('[^')) return 'x'
  if (atom.startsWith('[')) return one(/^\\?./u.exec(atom.slice(1))?.[0] ?? 'x')
  if (!atom.startsWith('\\')) return atom
  return { d: '1', w: 'a', s: ' ', D: 'x', W: '-', S: 'x', n: '\n', t: '\t', b: '' }[atom.slice(1)] ?? atom.slice(1)
}

function firstText(...values: unknown[]): string | undefined {
  return values.find((value) => typeof value === 'string') as string | undefined
}
