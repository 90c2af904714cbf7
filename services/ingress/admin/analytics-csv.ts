// Pure. Requests as lines of CSV that no spreadsheet takes for formulas.
// Sources: RFC 4180; OWASP "CSV Injection": a cell that begins with = + - @ tab or carriage return is executed.

import type { RequestEntry } from '#contracts/question.ts'

const columns = [
  'id',
  'started_at',
  'ended_at',
  'client',
  'format',
  'asked_model',
  'strategy',
  'provider',
  'model',
  'outcome',
  'unconfirmed',
  'status',
  'error',
  'duration_ms',
  'ttfb_ms',
  'tokens_in',
  'tokens_out',
  'trace_id',
] as const satisfies (keyof RequestEntry)[]

export const csvHead = `${[...columns, 'attempts'].join(',')}\r\n`

/** Times as ISO 8601; the attempts in one cell, e.g. `1:groq:rejected(429) 2:gemini:ok`. */
export function csvLine(entry: RequestEntry): string {
  const attempts = entry.attempts.map(({ n, provider, result }) => `${n}:${provider ?? ''}:${result ?? ''}`).join(' ')
  const values = columns.map((column) => (column.endsWith('_at') ? timeOf(entry[column]) : entry[column]))
  return `${[...values, attempts].map(cell).join(',')}\r\n`
}

function timeOf(value: unknown): string | null {
  return typeof value === 'number' ? new Date(value).toISOString() : null
}

function cell(value: unknown): string {
  if (value === null || value === undefined) return ''
  // A number is a number, also if it begins with a minus.
  if (typeof value !== 'string') return String(value)
  const harmless = /^[=+\-@\t\r\n|%\uFF1D\uFF0B\uFF0D\uFF20]/.test(value) ? `'${value}` : value
  return /[",\r\n\t]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
