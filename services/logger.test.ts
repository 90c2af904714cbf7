import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LoggerOptions } from './logger.ts'
import { createLogger } from './logger.ts'

function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = []
  return { lines, log: createLogger({ service: 'router', level: 'debug', write: (line) => lines.push(line), ...options }) }
}

afterEach(() => void vi.unstubAllEnvs())

describe('a line of JSON', () => {
  it('says when, how grave, who and what, then the fields', () => {
    const { log, lines } = logger({ instance: 'r1' })
    log.warn('slow', { ms: 12, provider: 'alpha' })
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      level: 'warn',
      service: 'router',
      msg: 'slow',
      instance: 'r1',
      ms: 12,
      provider: 'alpha',
    })
  })

  it('begins with the same four names, whatever the fields are called', () => {
    const { log, lines } = logger()
    log.info('real', { level: 'forged', msg: 'forged', time: 0 })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', msg: 'real', level_: 'forged', msg_: 'forged', time_: 0 })
  })

  it('stays one line, without control characters of any kind', () => {
    const { log, lines } = logger()
    log.info('a\n{"level":"error"}\r\x1b[31m\x9b31m\u2028', { 'na\nme': 'b\x07' })
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toMatch(/[\p{Cc}\u2028]/u)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'a\n{"level":"error"}\r\x1b[31m\x9b31m\u2028' })
  })

  it('holds no secret, neither in the message nor in fields nor in errors', () => {
    const { log, lines } = logger()
    log.secret('canary-value')
    log.error('canary-value', { error: new Error('canary-value', { cause: 'canary-value' }), 'canary-value': 1, api_key: 'canary2' })
    expect(lines[0]).not.toContain('canary')
  })

  it('is still written when a field cannot be read', () => {
    const { log, lines } = logger()
    log.info('hello', {
      get broken() {
        throw new RangeError('no')
      },
    })
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'hello' })
  })
})

it('drops what is below its level', () => {
  const { log, lines } = logger({ level: 'warn' })
  log.debug('a')
  log.info('b')
  log.warn('c')
  log.error('d')
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(['c', 'd'])
})

it('hands its fields down to its children', () => {
  const { log, lines } = logger()
  log.child({ request: 'r' }).child({ n: 1 }).info('x', { request: 'own' })
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ request: 'own', n: 1 })
})

describe('pretty', () => {
  it('prints a stack below its line', () => {
    const { log, lines } = logger({ pretty: true })
    log.error('failed', { error: new Error('why') })
    expect(lines[0]).toMatch(/error.*router.*failed.*"message":"why".*\n {4}at /)
  })

  it('lets nobody forge a line, move the cursor or turn the text around', () => {
    vi.stubEnv('NO_COLOR', '1')
    const { log, lines } = logger({ pretty: true })
    log.info('a\nb\x1b[2Jc', { name: 'x\r\ny\u202ez\x9b' })
    expect(lines[0]).toMatch(/ a b \[2Jc name=x y z $/)
    expect(lines[0]).not.toMatch(/[\p{Cc}\p{Cf}]/u)
  })
})
