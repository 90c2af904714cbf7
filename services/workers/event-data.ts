// Pure. What stands in the data of a provider's event: JSON, the end, or nothing of interest.

type Fields = Record<string, unknown>

/** Null for JSON that holds no fields, undefined for what is no JSON. */
export function parseEvent(data: string): Fields | null | undefined {
  try {
    const value: unknown = JSON.parse(data)
    if (Array.isArray(value)) return isDone(data) ? undefined : null
    return typeof value === 'object' ? (value as Fields | null) : null
  } catch {
    return undefined // the caller tells `[DONE]` from noise
  }
}

/** An empty event, or a comment that some relay has put into one. */
export function isNoise(data: string): boolean {
  const text = data.trimStart()
  return text === '' || text.startsWith(':')
}

export function isDone(data: string): boolean {
  const text = data.trim()
  return text === '[DONE]' || text === '["DONE"]' || text === 'DONE'
}
