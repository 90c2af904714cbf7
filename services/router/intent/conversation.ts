// Pure. What a conversation asks for now, as one short text: the last turn of the user; what was said before only where that turn says too little.
// A long turn is mostly material - a document, a log, a file - so its edges stay, where the question stands, and a look at what was pasted.

/** A turn with less than this says too little by itself: "and now?", "continue". */
const briefChars = 24
const edgeChars = 600
const materialChars = 500
const earlierChars = 300

/** Text for `classify`. Takes chat messages as they came (`content` a string or an array of parts); anything else gives an empty text. */
export function promptOf(messages: unknown): string {
  const turns = Array.isArray(messages) ? messages.slice(-20).map(readTurn) : []
  const asked = turns.filter((turn) => turn.role === 'user' && turn.text !== '')
  const now = asked.at(-1)?.text
  if (now === undefined) return focus(turns.find((turn) => turn.text !== '')?.text ?? '')
  const before = asked.at(-2)?.text
  if (now.length >= briefChars || before === undefined || isComplete(now)) return focus(now)
  return `${focus(now)}\n${focus(before).slice(0, earlierChars)}`
}

function readTurn(message: unknown): { role: string; text: string } {
  if (typeof message !== 'object' || message === null) return { role: '', text: '' }
  const role = 'role' in message && typeof message.role === 'string' ? message.role : ''
  const content = 'content' in message ? message.content : ''
  if (typeof content === 'string') return { role, text: content.trim() }
  if (!Array.isArray(content)) return { role, text: '' }
  return { role, text: content.map(readPart).join('\n').trim() }
}

function readPart(part: unknown): string {
  return typeof part === 'object' && part !== null && 'text' in part && typeof part.text === 'string' ? part.text : ''
}

/** Scripts without spaces say much in few characters. */
function isComplete(text: string): boolean {
  return text.length >= 7 && text.charCodeAt(text.length >> 1) > 0x0e00
}

/** Both edges whole, cut at a line where one is near; of the material between them its first part of code, else its beginning. */
function focus(text: string): string {
  if (text.length <= 2 * edgeChars + materialChars) return text
  const start = text.slice(0, edgeChars)
  const end = text.slice(-edgeChars)
  const fence = text.indexOf('```', edgeChars)
  const from = fence >= 0 && fence < text.length - edgeChars ? fence : edgeChars
  return `${upToLastLine(start)}\n${text.slice(from, from + materialChars)}\n${fromFirstLine(end)}`
}

function upToLastLine(text: string): string {
  const at = text.lastIndexOf('\n')
  return at > text.length / 2 ? text.slice(0, at) : text
}

function fromFirstLine(text: string): string {
  const at = text.indexOf('\n')
  return at >= 0 && at < text.length / 2 ? text.slice(at + 1) : text
}
