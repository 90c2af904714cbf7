import { expect, it } from 'vitest'
import { catalog } from '#contracts/catalog.ts'
import { withTiers } from './tiers.ts'

const known = catalog.parse({
  providers: ['alpha', 'beta'].map((name) => ({
    name,
    base_url: 'http://a.invalid',
    configured: true,
    models: [{ id: 'large', tier: 'verified' }, { id: 'small' }],
  })),
  aliases: [['nick', 'alpha/small']],
})
const tiersOf = (models: Record<string, string>) =>
  withTiers(known, { models }).providers.map(({ models }) => models.map(({ tier }) => tier))

it.each<[string, Record<string, string>, string[][]]>([
  [
    'nothing changes without a name',
    {},
    [
      ['verified', 'public'],
      ['verified', 'public'],
    ],
  ],
  [
    'a model of one provider',
    { 'alpha/small': 'vip' },
    [
      ['verified', 'vip'],
      ['verified', 'public'],
    ],
  ],
  [
    'a model of all providers',
    { small: 'vip' },
    [
      ['verified', 'vip'],
      ['verified', 'vip'],
    ],
  ],
  [
    'the exact name before the general one',
    { small: 'vip', 'beta/small': 'public' },
    [
      ['verified', 'vip'],
      ['verified', 'public'],
    ],
  ],
  [
    'what the catalogue reserves is opened',
    { large: 'public' },
    [
      ['public', 'public'],
      ['public', 'public'],
    ],
  ],
  [
    'an alias does not lock what it stands for',
    { nick: 'vip', constructor: 'vip' },
    [
      ['verified', 'public'],
      ['verified', 'public'],
    ],
  ],
])('%s', (_, models, tiers) => expect(tiersOf(models)).toEqual(tiers))
