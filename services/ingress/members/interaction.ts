// Discord's interactions: how a request proves to be Discord's own, what it says, and how it is answered.
// https://discord.com/developers/docs/interactions/receiving-and-responding

import { InteractionResponseFlags, InteractionResponseType, InteractionType, verifyKey } from 'discord-interactions'
import { z } from 'zod'

const MAX_AGE_S = 300

/** `body` as it came. An old request may be a recorded one. */
export async function isFromDiscord(headers: Pick<Headers, 'get'>, body: Uint8Array, publicKey: string, nowMs: number): Promise<boolean> {
  const signature = headers.get('x-signature-ed25519') ?? ''
  const timestamp = headers.get('x-signature-timestamp') ?? ''
  if (!/^[0-9a-f]{128}$/i.test(signature) || !/^\d{1,12}$/.test(timestamp)) return false
  if (Math.abs(nowMs / 1000 - Number(timestamp)) > MAX_AGE_S) return false
  return await verifyKey(body, signature, timestamp, publicKey)
}

const snowflake = z.string().regex(/^\d{1,20}$/)
/** A field of a form: text, or what was chosen. */
const field = z.object({ custom_id: z.string(), value: z.string().optional(), values: z.array(z.string()).optional() })
/** Within a label; clients of before 2025 put a row around it. */
const container = z.object({ component: field.optional(), components: z.array(field).optional() })

const member = z.object({ user: z.object({ id: snowflake, username: z.string() }), roles: z.array(snowflake) })
/** Sent from the server; not from a direct message. */
const sentOnServer = {
  application_id: snowflake,
  guild_id: snowflake.optional(),
  member: member.optional(),
  /** By which the answer may come later. It becomes part of an address. */
  token: z.string().regex(/^[\w.~-]{1,1000}$/),
}

const interaction = z.discriminatedUnion('type', [
  z.object({ type: z.literal(InteractionType.PING) }),
  z.object({ type: z.literal(InteractionType.APPLICATION_COMMAND), ...sentOnServer, data: z.object({ name: z.string() }) }),
  z.object({
    type: z.literal(InteractionType.MODAL_SUBMIT),
    ...sentOnServer,
    data: z.object({ custom_id: z.string(), components: z.array(container) }),
  }),
])

export interface Sender {
  applicationId: string
  /** Undefined: not sent on a server. */
  guildId: string | undefined
  id: string
  username: string
  /** Ids of the roles there. */
  roles: string[]
}

export type Interaction =
  | { kind: 'ping' }
  | { kind: 'command'; name: string; sender: Sender | undefined }
  /** `fields`: what was filled in, by the name of the field. */
  | { kind: 'form'; id: string; fields: Record<string, string>; token: string; sender: Sender | undefined }

/** Undefined: none that we asked for, or of a kind that we know. */
export function readInteraction(body: unknown): Interaction | undefined {
  const read = interaction.safeParse(body).data
  if (!read) return undefined
  if (read.type === InteractionType.PING) return { kind: 'ping' }
  const sender = read.member && {
    applicationId: read.application_id,
    guildId: read.guild_id,
    id: read.member.user.id,
    username: read.member.user.username,
    roles: read.member.roles,
  }
  if (read.type === InteractionType.APPLICATION_COMMAND) return { kind: 'command', name: read.data.name, sender }
  const filled = read.data.components.flatMap(({ component, components = [] }) => (component ? [component] : components))
  const fields = Object.fromEntries(filled.map(({ custom_id, value, values }) => [custom_id, value ?? values?.[0] ?? '']))
  return { kind: 'form', id: read.data.custom_id, fields, token: read.token, sender }
}

export const pong = { type: InteractionResponseType.PONG }

/** Only whoever gave the command sees it. */
export function message(content: string) {
  return {
    type: InteractionResponseType.CHANNEL_MESSAGE_WITH_SOURCE,
    data: { content, flags: InteractionResponseFlags.EPHEMERAL, allowed_mentions: { parse: [] } },
  }
}

/** The message comes later; then too only whoever gave the command sees it. */
export const deferred = {
  type: InteractionResponseType.DEFERRED_CHANNEL_MESSAGE_WITH_SOURCE,
  data: { flags: InteractionResponseFlags.EPHEMERAL },
}

export interface Field {
  id: string
  /** At most 45 characters. */
  label: string
  /** At most 100 characters. */
  description?: string
  /** Several lines. */
  long?: boolean
  minLength?: number
  maxLength: number
}

const LABEL = 18
const TEXT_INPUT = 4
const SHORT = 1
const PARAGRAPH = 2

/** `id`: at most 100 characters, `title`: 45, and five fields. */
export function form(id: string, title: string, fields: readonly Field[]) {
  const components = fields.map(({ id: custom_id, label, description, long, minLength, maxLength }) => ({
    type: LABEL,
    label,
    ...(description === undefined ? {} : { description }),
    component: {
      type: TEXT_INPUT,
      custom_id,
      style: long ? PARAGRAPH : SHORT,
      required: true,
      max_length: maxLength,
      ...(minLength === undefined ? {} : { min_length: minLength }),
    },
  }))
  return { type: InteractionResponseType.MODAL, data: { custom_id: id, title, components } }
}
