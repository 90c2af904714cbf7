// A setting that cannot be used, said so that the operator can mend it: where, and what was expected there.
// The value itself is never repeated: it may be a secret.

import type { z } from 'zod'

export class SettingsError extends Error {
  override name = 'SettingsError'
}

type Issue = z.core.$ZodIssue

/** Of a schema that was asked to report its input: `<source>: providers.alpha.rpm_limit: expected a positive integer`, one line for each issue. */
export function describeIssues(source: string, issues: readonly Issue[]): string {
  const lines = issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => line(source, [...issue.path, key], 'unknown field'))
    return [line(source, issue.path, expectation(issue))]
  })
  return lines.join('\n')
}

function line(source: string, path: readonly PropertyKey[], message: string): string {
  const place = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('')
  return place ? `${source}: ${place.replace(/^\./, '')}: ${message}` : `${source}: ${message}`
}

function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `expected ${typeWords.get(issue.expected) ?? issue.expected}`
    case 'too_small':
      if (issue.origin === 'int' || (issue.origin === 'number' && issue.minimum === 1)) return 'expected a positive integer'
      return issue.origin === 'number' ? `expected ${issue.minimum} or more` : 'must not be empty'
    case 'too_big':
      return issue.origin === 'number' || issue.origin === 'int' ? `expected ${issue.maximum} or less` : `longer than ${issue.maximum}`
    case 'invalid_value':
      return `expected ${issue.values.join(', ')}`
    case 'invalid_key':
      return issue.issues[0]?.message ?? issue.message
    case 'invalid_format':
      return issue.format === 'url' ? 'expected an http or https address' : issue.message
    default:
      return issue.message
  }
}

const typeWords = new Map([
  ['int', 'a positive integer'],
  ['number', 'a number'],
  ['string', 'a text'],
  ['boolean', 'true or false'],
  ['array', 'a list'],
  ['object', 'an object'],
  ['record', 'an object'],
])
