import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { adminToken, providerVault } from './secrets.ts'
import { SettingsError } from './settings-error.ts'

let dataDir: string
beforeEach(() => {
  dataDir = join(mkdtempSync(join(tmpdir(), 'freeway-secrets-')), 'data')
})
afterEach(() => rmSync(join(dataDir, '..'), { recursive: true }))

const settings = (token?: string) => ({ dataDir, secretOf: () => token })

describe('a generated admin token', () => {
  it('is announced once and found again', async () => {
    const first = await adminToken(settings())
    expect(first).toEqual({ token: expect.stringMatching(/^[\w-]{43}$/), created: true, path: join(dataDir, 'admin-token') })
    expect(await adminToken(settings())).toEqual({ ...first, created: false })
  })

  it('is readable by its owner alone', async () => {
    const { path } = await adminToken(settings())
    expect(statSync(path ?? '').mode & 0o777).toBe(0o600)
    chmodSync(path ?? '', 0o644)
    await adminToken(settings())
    expect(statSync(path ?? '').mode & 0o777).toBe(0o600)
  })

  it('is one and the same for starts at the same time, and only one announces it', async () => {
    const starts = await Promise.all(Array.from({ length: 20 }, () => adminToken(settings())))
    expect(new Set(starts.map(({ token }) => token)).size).toBe(1)
    expect(starts.filter(({ created }) => created)).toHaveLength(1)
    expect(readdirSync(dataDir)).toEqual(['admin-token'])
  })

  it('is refused when its file has been emptied', async () => {
    const { path } = await adminToken(settings())
    writeFileSync(path ?? '', '')
    await expect(adminToken(settings())).rejects.toThrow(`${path}: is empty`)
  })
})

describe('an admin token from the environment', () => {
  it('is taken as it is and not written anywhere', async () => {
    const token = 'Zk3vQ9xR7mW2pL5t'
    expect(await adminToken(settings(token))).toEqual({ token, created: false, path: undefined })
    expect(() => readFileSync(join(dataDir, 'admin-token'))).toThrow('ENOENT')
  })

  it.each([
    ['', 'is empty'],
    ['   ', 'is empty'],
    ['short-one', 'is shorter than 16 characters'],
    ['sk-1234sk-1234sk-1234', 'can be guessed'],
    ['change-me-change-me-please', 'can be guessed'],
    ['your-admin-token-here', 'can be guessed'],
    ['password-password', 'can be guessed'],
    ['aaaaaaaaaaaaaaaaaaaaaaaa', 'can be guessed'],
    ['Zk3vQ9xR7mW2 pL5tXYZ', 'holds a blank'],
    ['Zk3vQ9xR7mW2pL5tß', 'holds a blank or a character outside ASCII'],
  ])('is refused if it is %j, without being repeated', async (token, fault) => {
    const error = await adminToken(settings(token)).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(SettingsError)
    expect((error as Error).message).toContain(`FREEWAY_ADMIN_TOKEN: ${fault}`)
    if (token.trim() !== '') expect((error as Error).message).not.toContain(token)
  })
})

describe('the secret that seals provider keys', () => {
  const env = (variables: Record<string, string>) => ({ dataDir, secretOf: (name: string) => variables[name] })

  it('is made once where none is set, and readable by its owner alone', async () => {
    const sealed = (await providerVault(settings())).seal('groq', 'key')
    expect((await providerVault(settings())).open('groq', sealed)).toBe('key')
    expect(statSync(join(dataDir, 'secret')).mode & 0o777).toBe(0o600)
  })

  it('is the operator’s where it is set, with the former one beside it', async () => {
    const [former, next] = ['n5Tq8RwZ2mK7vX4cB9pLd3Hs', 'q8Wz3Nf6Yt1Rk5Vb7Jm2Xc9L']
    const sealed = (await providerVault(env({ FREEWAY_SECRET: former }))).seal('groq', 'key')
    expect((await providerVault(env({ FREEWAY_SECRET: next, FREEWAY_SECRET_OLD: former }))).open('groq', sealed)).toBe('key')
    const without = await providerVault(env({ FREEWAY_SECRET: next }))
    expect(() => without.open('groq', sealed)).toThrow('another FREEWAY_SECRET')
  })

  it.each(['', 'short', 'changemechangeme1234'])('is refused if it can be guessed: %j', async (secret) => {
    await expect(providerVault(env({ FREEWAY_SECRET: secret }))).rejects.toThrow(/FREEWAY_SECRET: /)
  })
})
