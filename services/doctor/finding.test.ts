import { describe, expect, it } from 'vitest'
import { fault, lineOf, ok, summaryOf, warn } from './finding.ts'
import { checkRuntime } from './runtime.ts'

describe('a finding', () => {
  it('is one line, however it was worded, and what mends it a second', () => {
    expect(lineOf(ok('port', 'is\nfree '))).toBe('ok     port         is free')
    expect(lineOf(fault('groq-1', 'refused', 'make a\n  new one')).split('\n')).toEqual([
      'fault  groq-1       refused',
      '                    → make a new one',
    ])
  })

  it.each([
    [[], 'no faults, no warnings'],
    [[ok('a', ''), warn('b', ''), fault('c', '', '')], '1 fault, 1 warning'],
    [[warn('a', ''), warn('b', ''), fault('c', '', ''), fault('d', '', '')], '2 faults, 2 warnings'],
  ])('counts in the summary', (findings, summary) => {
    expect(summaryOf(findings)).toBe(summary)
  })
})

describe('what runs freeway', () => {
  it.each([
    [{ node: '26.0.0' }, 'ok'],
    [{ node: '27.1.0' }, 'ok'],
    [{ node: '25.9.0' }, 'fault'],
    [{ node: '20.19.0' }, 'fault'],
    [{}, 'fault'],
    [{ node: '24.0.0', deno: '2.9.6' }, 'ok'],
    [{ deno: '3.0.0' }, 'ok'],
    [{ deno: '2.8.9' }, 'fault'],
    [{ deno: '1.46.0' }, 'fault'],
  ])('%j is %s', (versions, level) => {
    expect(checkRuntime(versions).map((finding) => finding.level)).toEqual([level])
  })
})
