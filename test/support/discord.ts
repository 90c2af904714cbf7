// A Discord of our own: an application with a key to sign its requests, a server with members, and the parts of the REST API that
// freeway calls. It holds freeway to Discord's documented bounds, and fails on command.

import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export const GUILD = '900000000000000001'
export const APPLICATION = '800000000000000001'
export const BOT_TOKEN = 'MTk4NjIyNDgzNDcx.Canary-7Zq3Vx9LmB2kTnR4.bot-token'

/** What the interaction was answered with. */
export interface Reply {
  status: number
  type: number | undefined
  /** Of a message. */
  text: string
  ephemeral: boolean
  /** Of a form: what it asks, by the name of the field. */
  form: { id: string; title: string; fields: Map<string, { label: string; description: string }> } | undefined
  /** Where it was said that an answer comes later: its text. */
  later: Promise<string> | undefined
  body: string
}

export interface Tampering {
  signature?: string
  /** Unix seconds. */
  timestamp?: string
  /** Sent in place of the time that was signed. */
  laterTimestamp?: string
  /** Sent in place of what was signed. */
  body?: string
  guild?: string
  application?: string
  /** From a direct message: without a server. */
  direct?: boolean
}

export interface TestDiscord {
  /** The environment of a gateway that belongs to it. */
  readonly env: Record<string, string>
  /** User's id → ids of roles; who is not there is not on the server. */
  readonly members: Map<string, string[]>
  /** Calls of the REST API so far: method and path. */
  readonly calls: string[]
  /** What was registered last. */
  readonly commands: unknown[]
  /** `down`: 500; `silent`: never answers; `limited`: 429 to the next call alone; `unlisted`: the list is refused with 403. */
  mood: 'well' | 'down' | 'silent' | 'limited' | 'unlisted'
  ping(gateway: string, tampering?: Tampering): Promise<Reply>
  command(gateway: string, user: string, name: string, tampering?: Tampering): Promise<Reply>
  /** Sends in the form that a command was answered with. */
  submit(gateway: string, user: string, form: Reply, fields: Record<string, string>, tampering?: Tampering): Promise<Reply>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startDiscord(): Promise<TestDiscord> {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const rawKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
  const server = createServer((request, response) => {
    void answer(request, response)
  })
  /** By the token of the interaction: who waits for an answer that was promised. */
  const promised = new Map<string, (text: string) => void>()
  let interactions = 0
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  const self: TestDiscord = {
    env: {
      DISCORD_PUBLIC_KEY: rawKey,
      DISCORD_APPLICATION_ID: APPLICATION,
      DISCORD_GUILD_ID: GUILD,
      DISCORD_BOT_TOKEN: BOT_TOKEN,
      DISCORD_API_URL: `http://127.0.0.1:${port}/api/v10`,
    },
    members: new Map(),
    calls: [],
    commands: [],
    mood: 'well',
    ping: (gateway, tampering) => interact(gateway, { type: 1 }, tampering),
    command: (gateway, user, name, tampering) =>
      interact(gateway, { type: 2, ...context(user, tampering), data: { id: '7', name, type: 1 } }, tampering),
    submit(gateway, user, { form }, fields, tampering) {
      if (!form) throw new Error('there is no form to send in')
      const unknown = Object.keys(fields).filter((name) => !form.fields.has(name))
      if (unknown.length > 0) throw new Error(`the form does not ask for ${unknown}`)
      const components = [...form.fields.keys()].map((custom_id, i) => ({
        type: 18,
        id: i,
        component: { type: 4, id: i + 10, custom_id, value: fields[custom_id] ?? '' },
      }))
      return interact(gateway, { type: 5, ...context(user, tampering), data: { custom_id: form.id, components } }, tampering)
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }

  function context(user: string, { guild = GUILD, application = APPLICATION, direct = false }: Tampering = {}) {
    const who = { id: user, username: `user-${user.slice(-4)}`, global_name: null }
    const where = direct ? { user: who } : { guild_id: guild, member: { user: who, roles: self.members.get(user) ?? [], nick: null } }
    return {
      id: '600000000000000001',
      application_id: application,
      token: `interaction-token-canary.${++interactions}`,
      version: 1,
      ...where,
    }
  }

  async function interact(gateway: string, interaction: object, tampering: Tampering = {}): Promise<Reply> {
    const body = JSON.stringify(interaction)
    const timestamp = tampering.timestamp ?? String(Math.floor(Date.now() / 1000))
    const signature = tampering.signature ?? sign(null, Buffer.from(timestamp + body), privateKey).toString('hex')
    const sentMs = performance.now()
    const response = await fetch(`${gateway}/discord/interactions`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-signature-ed25519': signature,
        'x-signature-timestamp': tampering.laterTimestamp ?? timestamp,
      },
      body: tampering.body ?? body,
    })
    const reply = readReply(response.status, await response.text())
    if (performance.now() - sentMs > 3_000) throw new Error('no answer within three seconds: "This interaction failed"')
    if (reply.type !== 5) return reply
    const { promise, resolve } = Promise.withResolvers<string>()
    promised.set((interaction as { token: string }).token, resolve)
    return { ...reply, later: promise }
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://discord')
    self.calls.push(`${request.method} ${url.pathname}`)
    const say = (status: number, body: unknown, headers: Record<string, string> = {}) =>
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
    if (self.mood === 'silent') return
    if (self.mood === 'down') return void say(500, { message: '500: Internal Server Error', code: 0 })
    if (self.mood === 'limited') {
      self.mood = 'well'
      return void say(429, { message: 'You are being rate limited.', retry_after: 0.02, global: false }, { 'retry-after': '1' })
    }
    if (request.headers.authorization !== `Bot ${BOT_TOKEN}`) return void say(401, { message: '401: Unauthorized', code: 0 })
    const [, guild, user] = /^\/api\/v10\/guilds\/(\d+)\/members(?:\/(\d+))?$/.exec(url.pathname) ?? []
    if (guild !== undefined && guild !== GUILD) return void say(404, { message: 'Unknown Guild', code: 10004 })
    if (guild !== undefined && user !== undefined) {
      const roles = self.members.get(user)
      return void (roles ? say(200, memberOf(user, roles)) : say(404, { message: 'Unknown Member', code: 10007 }))
    }
    if (guild !== undefined) {
      if (self.mood === 'unlisted') return void say(403, { message: 'Missing Access', code: 50001 })
      return void say(200, listed(url.searchParams))
    }
    if (request.method === 'PUT' && url.pathname === `/api/v10/applications/${APPLICATION}/guilds/${GUILD}/commands`) {
      self.commands.splice(0, self.commands.length, ...(JSON.parse(await textOf(request)) as unknown[]))
      return void say(200, self.commands)
    }
    const [, application, token = ''] = /^\/api\/v10\/webhooks\/(\d+)\/([^/]+)\/messages\/@original$/.exec(url.pathname) ?? []
    const resolve = promised.get(token)
    if (request.method === 'PATCH' && application === APPLICATION) {
      if (!resolve) return void say(404, { message: 'Unknown Webhook', code: 10015 })
      promised.delete(token)
      const { content } = JSON.parse(await textOf(request)) as { content: string }
      bound('message', content, 2000)
      resolve(content)
      return void say(200, { id: '1', content })
    }
    say(404, { message: '404: Not Found', code: 0 })
  }

  function listed(query: URLSearchParams): object[] {
    const after = BigInt(query.get('after') ?? 0)
    const limit = Number(query.get('limit') ?? 1)
    const ids = [...self.members.keys()].filter((id) => BigInt(id) > after).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1))
    return ids.slice(0, limit).map((id) => memberOf(id, self.members.get(id) ?? []))
  }
  return self
}

async function textOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return Buffer.concat(parts).toString()
}

function memberOf(id: string, roles: string[]): object {
  return {
    user: { id, username: `user-${id.slice(-4)}` },
    roles,
    nick: null,
    joined_at: '2025-01-01T00:00:00.000000+00:00',
    deaf: false,
    mute: false,
  }
}

interface RawField {
  type: number
  label: string
  description?: string
  component: { type: number; custom_id: string; style: number; max_length?: number; min_length?: number }
}

/** Throws where Discord would show "This interaction failed". */
function readReply(status: number, body: string): Reply {
  const { type, data } = JSON.parse(body) as { type?: number; data?: Record<string, unknown> }
  const reply: Reply = {
    status,
    type,
    text: String(data?.content ?? ''),
    ephemeral: data?.flags === 64,
    form: undefined,
    later: undefined,
    body,
  }
  bound('message', reply.text, 2000)
  if (type !== 9) return reply
  const { custom_id, title, components } = data as { custom_id: string; title: string; components: RawField[] }
  bound('custom_id', custom_id, 100)
  bound('title', title, 45)
  if (components.length < 1 || components.length > 5) throw new Error(`a form of ${components.length} fields`)
  const fields = new Map<string, { label: string; description: string }>()
  for (const { type, label, description = '', component } of components) {
    if (type !== 18 || component.type !== 4 || ![1, 2].includes(component.style)) throw new Error('not a text input in a label')
    bound('label', label, 45)
    bound('description', description, 100)
    bound('custom_id', component.custom_id, 100)
    if ((component.max_length ?? 1) > 4000 || (component.min_length ?? 0) > (component.max_length ?? 4000))
      throw new Error('bounds of an input')
    fields.set(component.custom_id, { label, description })
  }
  return { ...reply, form: { id: custom_id, title, fields } }
}

function bound(what: string, text: string, most: number): void {
  if (text.length > most) throw new Error(`${what} is longer than ${most}: ${text}`)
}
