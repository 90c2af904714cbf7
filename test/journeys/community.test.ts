// A community at Discord, from the registration of its commands to a member who leaves: a whole freeway in a process of its own.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { BOT_TOKEN, GUILD, type Reply, startDiscord, type TestDiscord } from '#test/support/discord.ts'
import { type Gateway, runFreeway, startGateway } from '#test/support/gateway.ts'
import { answerOf } from '#test/support/human.ts'

const ADMIN_TOKEN = 'Zk3vQ9xR7mW2pL5tN8bH'
const VERIFIED = '111111111111111111'
const user = '200000000000000001'

let discord: TestDiscord
let gateway: Gateway
let key = ''
const keys: string[] = []

beforeAll(async () => {
  discord = await startDiscord()
  const access = {
    signup: 'community',
    resetkey: true,
    checkin_required: true,
    membership_required: true,
    discord_roles: { [VERIFIED]: 'verified' },
  }
  gateway = await startGateway({
    config: { access },
    env: { ...discord.env, DISCORD_REFRESH_MS: '200', FREEWAY_ADMIN_TOKEN: ADMIN_TOKEN, FREEWAY_LOG_LEVEL: 'debug' },
  })
})
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await discord?.[Symbol.asyncDispose]()
})

async function chat(model?: string): Promise<[number, string | undefined]> {
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }),
  })
  const body = (await response.json()) as { error?: { type: string } }
  return [response.status, body.error?.type]
}

const run = async (name: string, fields: Record<string, string>): Promise<Reply> => {
  const form = await discord.command(gateway.url, user, name)
  const answer = answerOf(form.form?.fields.get('answer')?.description ?? form.text)
  return discord.submit(gateway.url, user, form, { answer, ...fields })
}

function takeKey({ text, ephemeral }: Reply): void {
  expect(ephemeral).toBe(true)
  key = /fai_\w+/.exec(text)?.[0] ?? ''
  expect(key, text).not.toBe('')
  keys.push(key)
}

it('registers its commands, as often as it is told to', async () => {
  for (let i = 0; i < 2; i++) {
    await using command = await runFreeway(['discord', 'register'], { env: discord.env })
    expect(await command.exited).toMatchObject({ code: 0 })
    expect(command.stdout).toContain(`Registered /signup, /checkin, /resetkey on the server ${GUILD}.`)
    expect(command.stdout + command.stderr).not.toContain(BOT_TOKEN)
  }
  expect(discord.commands).toEqual(['signup', 'checkin', 'resetkey'].map((name) => ({ name, type: 1, description: expect.any(String) })))
})

it.each<[string, Record<string, string>, RegExp]>([
  ['another token', { DISCORD_BOT_TOKEN: 'another-token-than-that' }, /401.*DISCORD_BOT_TOKEN is not that of a bot/],
  ['another server', { DISCORD_GUILD_ID: '900000000000000002' }, /404.*DISCORD_GUILD_ID is another one's/],
  [
    'nothing set',
    { DISCORD_PUBLIC_KEY: '', DISCORD_APPLICATION_ID: '', DISCORD_GUILD_ID: '', DISCORD_BOT_TOKEN: '' },
    /set DISCORD_APPLICATION_ID/,
  ],
])('cannot register them with %s, and says why', async (_, change, words) => {
  await using command = await runFreeway(['discord', 'register'], { env: { ...discord.env, ...change } })
  expect(await command.exited).toMatchObject({ code: 1 })
  expect(command.stderr).toMatch(words)
})

it('is open from a sign-up and a check-in on', async () => {
  discord.members.set(user, [])
  takeKey(await run('signup', { use_case: 'I learn to write poems in Frisian', bot_disclosure: 'no' }))
  expect(await chat()).toEqual([403, 'daily_checkin_required'])
  expect((await run('checkin', { key })).text).toMatch(/^You are checked in/)
  expect(await chat()).toEqual([200, undefined])
})

it('opens a model to whoever gains a role, without a command', async () => {
  const models = (await (await fetch(`${gateway.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).json()) as {
    data: { id: string }[]
  }
  const model = models.data.find(({ id }) => id.startsWith('demo/'))?.id ?? ''
  await fetch(`${gateway.url}/api/tiers`, {
    method: 'PATCH',
    headers: { 'x-admin-token': ADMIN_TOKEN, 'content-type': 'application/json' },
    body: JSON.stringify({ models: { [model]: 'verified' } }),
  })
  expect(await chat(model)).toEqual([403, 'model_access_denied'])
  discord.members.set(user, [VERIFIED])
  await expect.poll(() => chat(model), { timeout: 5_000 }).toEqual([200, undefined])
  discord.members.set(user, [])
  await expect.poll(() => chat(model), { timeout: 5_000 }).toEqual([403, 'model_access_denied'])
})

it('is closed to whoever leaves, and open to whoever comes back', async () => {
  discord.members.delete(user)
  await expect.poll(() => chat(), { timeout: 5_000 }).toEqual([403, 'discord_membership_required'])
  discord.members.set(user, [])
  await expect.poll(() => chat(), { timeout: 5_000 }).toEqual([200, undefined])
})

it('keeps whom it knows while Discord fails', async () => {
  discord.mood = 'down'
  await gateway.printed(/members could not be looked up at Discord/)
  expect(await chat()).toEqual([200, undefined])
  discord.mood = 'well'
})

it('replaces a key, and today’s check-in goes on to hold', async () => {
  const old = key
  takeKey(await run('resetkey', { reason: 'it was in a screenshot of mine' }))
  expect(await chat()).toEqual([200, undefined])
  key = old
  expect(await chat()).toEqual([401, 'invalid_api_key'])
})

it('writes down neither the bot’s token nor a key, nor says one again', async () => {
  const headers = { 'x-admin-token': ADMIN_TOKEN }
  const pages = await Promise.all(
    ['clients', 'members', 'audit', 'settings'].map(async (page) => (await fetch(`${gateway.url}/api/${page}`, { headers })).text()),
  )
  const files = await readdir(join(gateway.dir, 'data'), { recursive: true, withFileTypes: true })
  const data = await Promise.all(
    files.filter((file) => file.isFile()).map(async (file) => (await readFile(join(file.parentPath, file.name))).toString('latin1')),
  )
  const written = [gateway.stdout, gateway.stderr, ...pages, ...data].join('\n')
  expect(keys).toHaveLength(2)
  for (const secret of [...keys, BOT_TOKEN, BOT_TOKEN.slice(4, -4), 'interaction-token-canary']) expect(written).not.toContain(secret)
  expect(written).toContain(user)
})
