import { describe, expect, it } from 'vitest'
import { readDiscordSettings } from './discord-settings.ts'
import { SettingsError } from './settings-error.ts'

const whole = {
  DISCORD_PUBLIC_KEY: 'ab'.repeat(32),
  DISCORD_APPLICATION_ID: '800000000000000001',
  DISCORD_GUILD_ID: '900000000000000001',
  DISCORD_BOT_TOKEN: 'MTk4NjIyNDgzNDcx.Canary.token',
}

function faultsOf(env: Record<string, string>): string[] {
  try {
    readDiscordSettings(env)
  } catch (error) {
    expect(error).toBeInstanceOf(SettingsError)
    return (error as Error).message.split('\n')
  }
  return []
}

describe('Discord', () => {
  it('is where nothing is set: nowhere', () => {
    expect(readDiscordSettings({})).toBeUndefined()
    expect(readDiscordSettings({ DISCORD_PUBLIC_KEY: '', DISCORD_API_URL: 'http://127.0.0.1:1' })).toBeUndefined()
  })

  it('is known by four variables; its token stands in no field', () => {
    const settings = readDiscordSettings({ ...whole, DISCORD_API_URL: 'http://127.0.0.1:1/api/v10/', DISCORD_REFRESH_MS: '1000' })
    expect(settings).toMatchObject({
      publicKey: whole.DISCORD_PUBLIC_KEY,
      applicationId: whole.DISCORD_APPLICATION_ID,
      guildId: whole.DISCORD_GUILD_ID,
      apiUrl: 'http://127.0.0.1:1/api/v10',
      refreshMs: 1_000,
    })
    expect(JSON.stringify(settings)).not.toContain('Canary')
    expect(settings?.botToken()).toBe(whole.DISCORD_BOT_TOKEN)
    expect(readDiscordSettings(whole)).toMatchObject({ apiUrl: 'https://discord.com/api/v10', refreshMs: 300_000 })
  })

  it('is not half known', () => {
    expect(faultsOf({ DISCORD_BOT_TOKEN: whole.DISCORD_BOT_TOKEN })).toEqual(
      ['DISCORD_PUBLIC_KEY', 'DISCORD_APPLICATION_ID', 'DISCORD_GUILD_ID'].map(
        (name) => `environment: ${name}: is missing: the other DISCORD_ variables are set`,
      ),
    )
  })

  it.each([
    ['DISCORD_PUBLIC_KEY', 'abc', 'expected 64 hexadecimal digits, as the developer portal shows them'],
    ['DISCORD_APPLICATION_ID', 'freeway', 'expected the id of the application, 15 to 20 digits'],
    ['DISCORD_GUILD_ID', '42', 'expected the id of the server, 15 to 20 digits'],
    ['DISCORD_BOT_TOKEN', 'Bot MTk4NjIyNDgzNDcx.Canary', 'expected the token of the bot, without "Bot"'],
    ['DISCORD_API_URL', 'discord.com', 'expected an http or https address, e.g. https://discord.com/api/v10'],
    ['DISCORD_REFRESH_MS', '5m', 'expected milliseconds from 100, e.g. 300000'],
  ])('refuses %s=%s and says what to do, without repeating it', (name, value, words) => {
    expect(faultsOf({ ...whole, [name]: value })).toEqual([`environment: ${name}: ${words}`])
  })
})
