import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { adminToken } from './secrets.ts'
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
