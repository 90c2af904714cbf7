// Discord's REST API, as much of it as freeway uses: who is on the server and with which roles, and the commands of the application.
// https://discord.com/developers/docs/reference

import { z } from 'zod'
import type { DiscordSettings } from './discord-settings.ts'

const TIMEOUT_MS = 5_000
/** The most that one page may hold. */
export const PAGE_MEMBERS = 1000

/** `roles`: ids. That of everybody, which is the server's own, is not among them. */
const guildMember = z.object({ user: z.object({ id: z.string() }), roles: z.array(z.string()) })
export interface GuildMember {
  id: string
  roles: readonly string[]
}

export interface Command {
  name: string
  description: string
}

/** All of them throw DiscordError. */
export interface Discord {
  /** Undefined: not on the server. */
  member(userId: string, signal?: AbortSignal | undefined): Promise<GuildMember | undefined>
  /** Up to 1000 members whose id is greater than `after`, in order of their ids. Needs the "Server Members Intent". */
  membersAfter(after: string, signal?: AbortSignal | undefined): Promise<GuildMember[]>
  /** Replaces all commands that the application has on the server; a repeat changes nothing. Returns their names. */
  register(commands: readonly Command[]): Promise<string[]>
  /** Hands in the answer to an interaction that was told to wait. `token`: of the interaction, good for a quarter of an hour; a secret. */
  answer(token: string, content: string): Promise<void>
}

/** Discord did not answer, or refused. Its message holds no secret. */
export class DiscordError extends Error {
  override name = 'DiscordError'
  /** Of the answer; undefined: there was none in time, or none that can be read. */
  readonly status: number | undefined
  readonly retryAfterMs: number | undefined
  constructor(message: string, details: { status?: number; retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: details.cause })
    this.status = details.status
    this.retryAfterMs = details.retryAfterMs
  }
}

export function openDiscord(settings: Pick<DiscordSettings, 'apiUrl' | 'applicationId' | 'guildId' | 'botToken'>): Discord {
  const { apiUrl, applicationId, guildId } = settings
  const members = `/guilds/${guildId}/members`

  async function call<T>(
    method: string,
    path: string,
    answer: z.ZodType<T>,
    options: { body?: unknown; signal?: AbortSignal | undefined; called?: string } = {},
  ): Promise<T> {
    const { called = `${method} ${path.split('?', 1)[0]}` } = options
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    let response: Response
    let body: unknown
    try {
      response = await fetch(apiUrl + path, {
        method,
        headers: {
          authorization: `Bot ${settings.botToken()}`,
          'user-agent': 'DiscordBot (freeway, 1)',
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: options.body === undefined ? null : JSON.stringify(options.body),
        signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
        // The token is for this address alone.
        redirect: 'error',
      })
      body = await response.json()
    } catch (error) {
      throw new DiscordError(`Discord did not answer ${called}`, { cause: error })
    }
    if (!response.ok) throw refusal(response, body, called)
    const read = answer.safeParse(body)
    if (!read.success) throw new DiscordError(`Discord answered ${method} with something else than expected`)
    return read.data
  }

  return {
    async member(userId, signal) {
      try {
        const { roles } = await call('GET', `${members}/${userId}`, guildMember, { signal })
        return { id: userId, roles }
      } catch (error) {
        if (error instanceof DiscordError && error.status === 404) return undefined
        throw error
      }
    },
    async membersAfter(after, signal) {
      const page = await call('GET', `${members}?limit=${PAGE_MEMBERS}&after=${after}`, z.array(guildMember), {
        ...(signal ? { signal } : {}),
      })
      return page.map(({ user, roles }) => ({ id: user.id, roles }))
    },
    async register(commands) {
      // 1: a command that is typed with a slash.
      const body = commands.map((command) => ({ ...command, type: 1 }))
      const path = `/applications/${applicationId}/guilds/${guildId}/commands`
      const registered = await call('PUT', path, z.array(z.object({ name: z.string() })), { body })
      return registered.map(({ name }) => name)
    },
    async answer(token, content) {
      const path = `/webhooks/${applicationId}/${token}/messages/@original`
      const body = { content, allowed_mentions: { parse: [] } }
      // Whoever has the path has the token.
      await call('PATCH', path, z.unknown(), { body, called: 'PATCH of an answer' })
    },
  }
}

const said = z.object({ message: z.string().max(200), code: z.number().optional(), retry_after: z.number().optional() })

function refusal({ status, headers }: Response, body: unknown, what: string): DiscordError {
  const words = said.safeParse(body).data
  const seconds = words?.retry_after ?? (Number(headers.get('retry-after')) || undefined)
  return new DiscordError(`Discord refused ${what}: ${status}${words ? ` ${words.message}` : ''}`, {
    status,
    ...(seconds === undefined ? {} : { retryAfterMs: seconds * 1000 }),
  })
}
