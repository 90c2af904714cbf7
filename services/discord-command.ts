// `freeway discord`: tells Discord which commands this gateway has.

import process from 'node:process'
import { type Command, DiscordError, openDiscord } from './discord.ts'
import { loadSettings } from './settings.ts'
import { SettingsError } from './settings-error.ts'

const USAGE = `Usage: freeway discord register

  Registers /signup, /checkin and /resetkey on the server DISCORD_GUILD_ID. May be repeated.
`

const commands: readonly Command[] = [
  { name: 'signup', description: 'Get a key for the API' },
  { name: 'checkin', description: 'Check in for today, so that your key works' },
  { name: 'resetkey', description: 'Replace your key by another one' },
]

/** Throws SettingsError with words for the operator. */
export async function discordCommand(args: string[]): Promise<void> {
  if (args.length !== 1 || args[0] !== 'register') throw new SettingsError(USAGE)
  const { discord } = loadSettings(process.env, process.cwd())
  if (!discord) {
    throw new SettingsError(
      'discord register: set DISCORD_APPLICATION_ID, DISCORD_PUBLIC_KEY, DISCORD_GUILD_ID and DISCORD_BOT_TOKEN, as the developer portal shows them',
    )
  }
  try {
    const names = await openDiscord(discord).register(commands)
    process.stdout.write(`Registered ${names.map((name) => `/${name}`).join(', ')} on the server ${discord.guildId}.\n`)
    process.stdout.write('Enter <address of this gateway>/discord/interactions as the "Interactions Endpoint URL" of the application.\n')
  } catch (error) {
    throw error instanceof DiscordError ? new SettingsError(`discord register: ${hint(error)}`) : error
  }
}

function hint({ status, message }: DiscordError): string {
  if (status === 401) return `${message}; DISCORD_BOT_TOKEN is not that of a bot`
  if (status === 403 || status === 404) {
    return `${message}; DISCORD_APPLICATION_ID or DISCORD_GUILD_ID is another one's, or the application was not added to the server`
  }
  return message
}
