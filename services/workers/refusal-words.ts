// Pure. The telling texts of a refusal's body, whatever its shape, and a line of it that operators may read.

/** Gemini answers 200 to what it will not answer. */
const OF_GEMINI = ['promptFeedback', 'blockReason', 'candidates', 'finishReason']
const TELLING = ['message', 'msg', 'detail', 'title', 'reason', 'code', 'type', 'status', 'error', 'errors', ...OF_GEMINI]
const MAX_DEPTH = 4
const SCANNED_CHARACTERS = 4096
const DETAIL_CHARACTERS = 200

/** The texts that providers put what they mean into; nothing that may quote the request at length. */
export function wordsOf(body: string): string {
  return textOf(body.slice(0, 16 * SCANNED_CHARACTERS)).slice(0, SCANNED_CHARACTERS)
}

function textOf(body: string): string {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return body.replaceAll(/<[^<>]{0,200}>/g, ' ').trim() // not JSON: a proxy's page, or plain text
  }
  const words: string[] = []
  collect(value, 0, words)
  return words.join(' | ')
}

function collect(value: unknown, depth: number, words: string[]): void {
  if (typeof value === 'string' && value !== '') words.push(value)
  else if (typeof value === 'number') words.push(String(value))
  else if (depth > MAX_DEPTH || typeof value !== 'object' || value === null) return
  else if (Array.isArray(value)) for (const item of value.slice(0, 6)) collect(item, depth + 1, words)
  else for (const name of TELLING) if (Object.hasOwn(value, name)) collect((value as Record<string, unknown>)[name], depth + 1, words)
}

const SECRETS =
  /\b(?:sk|gsk|pk|rk|csk|hf|key|AIza|nvapi|xai|r8|ghp|github_pat)[-_A-Za-z0-9]{12,}|\beyJ[-_A-Za-z0-9.]{20,}|\b[A-Za-z0-9_-]{32,}\b|([?&]key=|bearer )\S{1,400}/gi

/** One short line without anything that looks like a key. */
export function redact(text: string): string {
  const line = text.slice(0, 8 * DETAIL_CHARACTERS).replaceAll(SECRETS, (_, prefix: string | undefined) => `${prefix ?? ''}[redacted]`)
  return line
    .replaceAll(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, DETAIL_CHARACTERS)
}
