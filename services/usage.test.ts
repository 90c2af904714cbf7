import { describe, expect, it } from 'vitest'
import { Disconnected } from '#contracts/bus.ts'
import { SettingsError } from './settings-error.ts'
import { count, explain, providersIn } from './usage.ts'

const system = (code: string, fields: object) => Object.assign(new Error(`${code}: it did not work`), { code, ...fields })

describe('a fault', () => {
  it.each([
    ['a setting', new SettingsError('environment: PORT: expected a number'), 'environment: PORT: expected a number'],
    [
      'a port that is taken',
      system('EADDRINUSE', { port: 3001, address: '::1' }),
      'port 3001 on ::1 is in use: stop the other program or set PORT',
    ],
    ['a port below 1024', system('EACCES', { port: 80 }), 'port 80 needs privileges: set PORT to one above 1023'],
    ['a name of nobody', system('ENOTFOUND', { hostname: 'nowhere' }), 'HOST: nowhere is no address of this machine (ENOTFOUND)'],
    [
      'a folder of somebody else',
      system('EACCES', { path: '/data' }),
      '/data cannot be used (EACCES): let this user write there, or set FREEWAY_DATA',
    ],
    ['a full disk', system('ENOSPC', { path: '/data/secret' }), '/data/secret cannot be used (ENOSPC): free some room'],
    [
      'a broker that is away',
      new Disconnected('cannot connect to NATS at a:4222'),
      'cannot connect to NATS at a:4222; start it, or correct NATS_URL',
    ],
  ])('of the operator is a line that says what to do: %s', (_, error, line) => {
    const said = explain(error)
    expect(said.split('\n')).toHaveLength(1)
    expect(said.startsWith(line), said).toBe(true)
  })

  it('is told with the variable that was at fault', () => {
    const said = explain(system('EADDRINUSE', { port: 9464 }), { host: 'METRICS_HOST', port: 'METRICS_PORT' })
    expect(said).toContain('set METRICS_PORT')
  })

  it('of our own is told with its stack', () => {
    expect(explain(new TypeError('of undefined'))).toMatch(/^TypeError: of undefined\n +at /)
    expect(explain('thrown')).toBe('thrown')
  })
})

describe('what stands behind a command', () => {
  it.each(['', 'Groq', '--concurrency', 'a b'])('is no name of a provider: %j', (name) => {
    expect(() => providersIn(['gemini', name])).toThrow(`worker: "${name}" is no name of a provider`)
  })

  it.each(['1e3', '-1', '70000', '', ' 2', '1.5'])('is no number: %j', (text) => {
    expect(() => count('--workers', text, 3)).toThrow('--workers: expected a whole number from 0')
  })

  it('is a number, or the usual one', () => {
    expect([count('--workers', '12', 3, 1), count('--workers', undefined, 3, 1)]).toEqual([12, 3])
    expect(() => count('--workers', '0', 3, 1)).toThrow('from 1')
  })
})
