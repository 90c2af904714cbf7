// What the compose file tells the ingress of who may call, held against what freeway reads.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { loadSettings } from '#services/settings.ts'
import { root } from '#test/support/sources.ts'

const compose = readFileSync(join(root, 'deploy/compose.yaml'), 'utf8')
const passedOn = [...compose.matchAll(/^ {6}(\w+): \$\{(\w+):-\}$/gm)]

const set: Record<string, string> = {
  FREEWAY_TRUSTED_PROXIES: '10.0.0.0/8',
  FREEWAY_KEY_PREFIX: 'our_',
  REQUIRE_AUTH: 'true',
  SITE_KEY: 'site.example',
  DISCORD_APPLICATION_ID: '8'.repeat(18),
  DISCORD_PUBLIC_KEY: 'ab'.repeat(32),
  DISCORD_GUILD_ID: '9'.repeat(18),
  DISCORD_BOT_TOKEN: 'a-token-of-a-bot-for-this-test',
}

it('every setting of access reaches the ingress by its own name', () => {
  expect(passedOn.map(([, name]) => name).sort()).toEqual(Object.keys(set).sort())
  for (const [, name, from] of passedOn) expect(from).toBe(name)
  const settings = loadSettings(set, '/nonexistent')
  expect(settings).toMatchObject({
    trustedProxies: ['10.0.0.0/8'],
    keyPrefix: 'our_',
    requireAuth: true,
    discord: { guildId: '9'.repeat(18) },
  })
})

it('what is not set arrives empty, and counts as not set', () => {
  const empty = Object.fromEntries(Object.keys(set).map((name) => [name, '']))
  expect(loadSettings(empty, '/nonexistent')).toMatchObject({
    trustedProxies: [],
    keyPrefix: 'fai_',
    requireAuth: false,
    discord: undefined,
  })
})
