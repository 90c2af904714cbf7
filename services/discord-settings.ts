// Where the community is at Discord: which application speaks for this gateway, and on which server. All of it is set, or nothing.

import { z } from 'zod'
import { discordId } from '#contracts/account.ts'
import { SettingsError } from './settings-error.ts'

export interface DiscordSettings {
  /** By which Discord proves that a request is its own; 64 hexadecimal digits. */
  publicKey: string
  applicationId: string
  /** The server whose members they are. */
  guildId: string
  /** Of the REST API, without a slash at the end. */
  apiUrl: string
  /** How often all members are looked up. */
  refreshMs: number
  /** A secret. */
  botToken(): string
}

const API_URL = 'https://discord.com/api/v10'
const REFRESH_MS = 300_000

const needed = ['DISCORD_PUBLIC_KEY', 'DISCORD_APPLICATION_ID', 'DISCORD_GUILD_ID', 'DISCORD_BOT_TOKEN'] as const
const optional = ['DISCORD_API_URL', 'DISCORD_REFRESH_MS'] as const

const id = (of: string) =>
  z.string('is missing: the other DISCORD_ variables are set').regex(discordId, `expected the id of ${of}, 15 to 20 digits`)

const variables = z.object({
  DISCORD_PUBLIC_KEY: z
    .string('is missing: the other DISCORD_ variables are set')
    .regex(/^[0-9a-fA-F]{64}$/, 'expected 64 hexadecimal digits, as the developer portal shows them'),
  DISCORD_APPLICATION_ID: id('the application'),
  DISCORD_GUILD_ID: id('the server'),
  DISCORD_BOT_TOKEN: z
    .string('is missing: the other DISCORD_ variables are set')
    .regex(/^[\x21-\x7e]{16,200}$/, 'expected the token of the bot, without "Bot"'),
  DISCORD_API_URL: z
    .string()
    .refine((text) => /^https?:\/\//.test(text) && URL.canParse(text), `expected an http or https address, e.g. ${API_URL}`)
    .default(API_URL),
  DISCORD_REFRESH_MS: z
    .string()
    .regex(/^[1-9]\d{2,7}$/, 'expected milliseconds from 100, e.g. 300000')
    .transform(Number)
    .default(REFRESH_MS),
})

/** Undefined if nothing of it is set; what is empty counts as not set. Throws SettingsError, which names every fault. */
export function readDiscordSettings(env: Readonly<Record<string, string | undefined>>): DiscordSettings | undefined {
  const set = Object.fromEntries([...needed, ...optional].map((name) => [name, env[name]?.trim() || undefined] as const))
  if (needed.every((name) => set[name] === undefined)) return undefined
  // Without `reportInput`: one of them is a secret.
  const result = variables.safeParse(set)
  if (!result.success)
    throw new SettingsError(result.error.issues.map(({ path, message }) => `environment: ${String(path[0])}: ${message}`).join('\n'))
  const { data } = result
  return {
    publicKey: data.DISCORD_PUBLIC_KEY,
    applicationId: data.DISCORD_APPLICATION_ID,
    guildId: data.DISCORD_GUILD_ID,
    apiUrl: data.DISCORD_API_URL.replace(/\/+$/, ''),
    refreshMs: data.DISCORD_REFRESH_MS,
    botToken: () => data.DISCORD_BOT_TOKEN,
  }
}
