// Thoughts that only the provider which wrote them can read. They travel with a mark of whose they are, so that no other provider ever
// gets them: it would refuse them, and they are not for its eyes. Pure.

const MARK = 'fwr1.'

export interface Cipher {
  /** Of the item that it is the content of, as its provider named it; empty if it had no name. OpenAI refuses one under another name. */
  id: string
  content: string
}

/** `provider` is who can read it. */
export function writeCipher({ id, content }: Cipher, provider: string): string {
  return `${MARK}${provider}.${/^[\w-]*$/.test(id) ? id : ''}.${content}`
}

/** Undefined for what is not this provider's. */
export function readCipher(text: unknown, provider: string): Cipher | undefined {
  const mark = `${MARK}${provider}.`
  if (typeof text !== 'string' || !text.startsWith(mark)) return undefined
  const point = text.indexOf('.', mark.length)
  return point < 0 ? undefined : { id: text.slice(mark.length, point), content: text.slice(point + 1) }
}

/** Whosever it is. */
export function isCipher(text: unknown): boolean {
  return typeof text === 'string' && text.startsWith(MARK)
}
