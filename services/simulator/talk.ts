// Pure. What the demo model says: small skills that conformance clients test for, else a friendly word about itself.

import type { Conversation } from './conversation.ts'

type Skill = (conversation: Conversation) => string | undefined

/** The first skill that has an answer speaks; then the system prompt's demanded word and the prefill are honoured. Never empty. */
export function talk(conversation: Conversation): string {
  let text = 'Hello!'
  for (const skill of skills) {
    const said = skill(conversation)
    if (said !== undefined && said !== '') {
      text = said
      break
    }
  }
  text = withDemandedWord(text, conversation.system)
  return conversation.prefill ? continued(conversation.prefill, text) : text
}

const skills: Skill[] = [reportTools, repeat, greet, recall, add, calculate, nameCapital, count, writeLong, seeImages, introduce]

function reportTools({ toolResults }: Conversation): string | undefined {
  return toolResults.length > 0
    ? `Here is what the tool${toolResults.length > 1 ? 's' : ''} returned: ${toolResults.join('; ')}`
    : undefined
}

/** "Say exactly: alpha beta gamma", "Reply with the word pong". */
function repeat({ question }: Conversation): string | undefined {
  const dictated = /^(?:please )?(?:say|repeat|reply|respond|answer|write|print|output|echo|return)\b([^:\n]{0,80}):\s*(\S[\s\S]*)$/i.exec(
    question,
  )
  if (dictated && /exact|repeat|echo|only|just|nothing else|verbatim|following|this|word/i.test(dictated[0].slice(0, 100)))
    return dictated[2]
  const word =
    /^(?:please )?(?:say|repeat|reply|respond|answer)\b[^.:\n]{0,40}?(?:\bwords?:? ["“'`]?([\p{L}\p{N}_-]+)|["“`]([^"”`]+)["”`])/iu.exec(
      question,
    )
  return word?.[1] ?? word?.[2]
}

function greet({ question }: Conversation): string | undefined {
  const word = /^(?:please )?say (hello|hi|ok|yes|no|pong|ping)\b/i.exec(question)?.[1]
  return word && `${word[0]?.toUpperCase()}${word.slice(1)}${/hello|hi/i.test(word) ? '!' : '.'}`
}

/** "My name is Ada." ... "What is my name?" */
function recall({ users, question }: Conversation): string | undefined {
  const asked = /\b(?:what|who|which|tell me|remind me)\b[^?]{0,60}?\b(my|the) ([\p{L}][\p{L} '’-]{1,40}?)(?= again|\?|\.|,|$)/iu.exec(
    question,
  )
  if (!asked?.[2]) return undefined
  const value = facts(users.slice(0, -1).concat(users.length === 1 ? users : [])).get(keyOf(asked[2]))
  if (value === undefined) return undefined
  return onlyTheAnswer(question) ? value : `${asked[1]?.toLowerCase() === 'my' ? 'Your' : 'The'} ${asked[2]} is ${value}.`
}

function facts(said: string[]): Map<string, string> {
  const known = new Map<string, string>()
  const value = `(?:called |named )?["“'\`]?([\\p{L}\\p{N}][\\p{L}\\p{N}_-]*)`
  for (const text of said) {
    for (const [, key, fact] of text.matchAll(new RegExp(`\\b(?:my|the) ([\\p{L}][\\p{L} '’-]{1,40}?) (?:is|was|are) ${value}`, 'giu'))) {
      if (key && fact) known.set(keyOf(key), fact)
    }
    for (const [, key, fact] of text.matchAll(/\ban? ([\p{L}]{2,20}) (?:called|named) ([\p{L}\p{N}_-]+)/giu)) {
      if (key && fact) known.set(key.toLowerCase(), fact)
    }
  }
  return known
}

const keyOf = (words: string) =>
  words
    .toLowerCase()
    .replaceAll('’', "'")
    .replace(/'s name$/, '')
    .trim()

/** "Add 3 to your last answer." */
function add({ question, assistants }: Conversation): string | undefined {
  const more = /\badd (-?\d+(?:\.\d+)?) to (?:your|the) (?:last|previous)/i.exec(question)?.[1]
  const last = assistants
    .at(-1)
    ?.match(/-?\d+(?:\.\d+)?/g)
    ?.at(-1)
  return more && last ? String(rounded(Number(last) + Number(more))) : undefined
}

function calculate({ question }: Conversation): string | undefined {
  const [, left, sign, right] = /(-?\d+(?:\.\d+)?)\s*([-+*/×x÷]|plus|minus|times|divided by)\s*(-?\d+(?:\.\d+)?)/i.exec(question) ?? []
  if (!left || !sign || !right) return undefined
  const [a, b] = [Number(left), Number(right)]
  const result = /[+]|plus/i.test(sign) ? a + b : /-|minus/i.test(sign) ? a - b : /[/÷]|divided/i.test(sign) ? a / b : a * b
  return onlyTheAnswer(question) ? String(rounded(result)) : `${left} ${sign} ${right} = ${rounded(result)}`
}

const rounded = (value: number) => Math.round(value * 1e9) / 1e9

const capitals: Record<string, string> = {
  france: 'Paris',
  germany: 'Berlin',
  italy: 'Rome',
  spain: 'Madrid',
  japan: 'Tokyo',
  china: 'Beijing',
  england: 'London',
  'the united kingdom': 'London',
  canada: 'Ottawa',
  australia: 'Canberra',
}

function nameCapital({ question }: Conversation): string | undefined {
  const country = /\bcapital (?:city )?of ([\p{L}]+(?: united kingdom)?)/iu.exec(question)?.[1]
  const capital = country && Object.hasOwn(capitals, country.toLowerCase()) ? capitals[country.toLowerCase()] : undefined
  return capital && (onlyTheAnswer(question) || /name only/i.test(question) ? capital : `The capital of ${country} is ${capital}.`)
}

/** "Count from 1 to 5." */
function count({ question }: Conversation): string | undefined {
  const [, from, to] = /\bcount\b(?:[^\d\n]{0,20}(\d+))?\s*(?:up )?to (\d+)/i.exec(question) ?? []
  if (!to) return undefined
  const first = Number(from ?? 1)
  const length = Math.min(Math.max(Number(to) - first + 1, 1), 10_000)
  return Array.from({ length }, (_, i) => first + i).join(', ')
}

const sea = [
  'The sea covers more than two thirds of the planet, and most of it has never been seen by anyone.',
  'Near the coast it is a place of work and play; farther out it is mostly distance, weather and light.',
  'Its currents carry warmth from the equator to the poles and so decide what the land beside it can grow.',
  'Below the surface the light fades within a few hundred metres, and life goes on by other means.',
  'Those who live by it learn to read small signs: the colour of the water, the set of the clouds, the sound of the wind.',
]

function writeLong({ question }: Conversation): string | undefined {
  if (!/\b(?:long|essay|story|stories|at length|in detail|detailed|paragraphs?|\d{3,} words)\b/i.test(question)) return undefined
  const paragraphs = Array.from({ length: 8 }, (_, i) => `${i + 1}. ${[...sea.slice(i % 5), ...sea.slice(0, i % 5)].join(' ')}`)
  return `This is freeway's built-in demo model, so here is the text about the sea that it tells to everybody.\n\n${paragraphs.join('\n\n')}`
}

function seeImages({ images, question }: Conversation): string | undefined {
  if (images === 0) return undefined
  if (/\bone word\b/i.test(question)) return 'Picture.'
  return `I received ${images === 1 ? 'your picture' : `your ${images} pictures`}, but as freeway's built-in demo model I cannot see.`
}

function introduce({ question }: Conversation): string {
  const line = question.replaceAll(/\s+/g, ' ').trim()
  const short = [...line].length > 80 ? `${[...line].slice(0, 79).join('')}…` : line
  const heard = short ? `You said: “${short}”\n\n` : ''
  return (
    `Hello from freeway's built-in demo model. ${heard}My words are scripted, but all around them is real: routing, streaming, token counts, statistics. ` +
    'To talk to a real model, give freeway a provider key, for example GROQ_API_KEY=... in the file .env, and restart it. A free key is enough.'
  )
}

function onlyTheAnswer(question: string): boolean {
  return /\b(?:only|just)\b|nothing else|one word/i.test(question)
}

/** "Reply with exactly the word "quartz" and nothing else", "End every reply with the word BANANA". Long prompts of agents are left alone. */
function withDemandedWord(text: string, system: string): string {
  if (!system || system.length > 2000) return text
  const [, named, quoted] =
    /\b(?:word|phrase|token|marker):? +["“'`*]*([\p{L}\p{N}_-]+)|\b(?:include|mention|say|use|contain|with|reply|respond|answer)\b[^".\n]{0,30}["“`]([^"”`]+)["”`]/iu.exec(
      system,
    ) ?? []
  const word = named ?? quoted
  if (!word) return text
  if (/\b(?:only|exactly|nothing else|just)\b/i.test(system)) return word
  return /\b(?:begin|start)\b/i.test(system) ? `${word}. ${text}` : `${text} ${word}`
}

/** What of the answer the prefill has not said yet: "... is Par" is continued by "is.". */
function continued(prefill: string, text: string): string {
  const begun = prefill.trimEnd()
  for (let length = Math.min(begun.length, text.length); length > 0; length--) {
    if (begun.endsWith(text.slice(0, length))) return text.slice(length) || '.'
  }
  return prefill === begun ? ` ${text}` : text
}
