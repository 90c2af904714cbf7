import { expect, it } from 'vitest'
import { catalog } from '#contracts/catalog.ts'
import { usableRows } from './models.ts'
import { workingBy } from './working.ts'

const rows = usableRows(
  catalog.parse({
    providers: [{ name: 'groq', base_url: 'http://a.invalid', configured: true, models: [{ id: 'm' }, { id: 'n' }] }],
    aliases: [],
  }),
)
const rest = (what: { account?: string; model?: string }) => ({ ...what, reason: 'rate_limited', ends_in_ms: 1, ends_at: '' })
const groq = { name: 'groq', healthy: true, accounts: ['groq-1', 'groq-2'], cooldowns: [] as ReturnType<typeof rest>[] }

it.each([
  ['nothing rests', [groq], ['m', 'n']],
  ['nobody was asked', undefined, ['m', 'n']],
  ['the provider fails', [{ ...groq, healthy: false }], []],
  ['nobody knows the provider', [], []],
  ['all of the provider rests', [{ ...groq, cooldowns: [rest({})] }], []],
  ['a model rests everywhere', [{ ...groq, cooldowns: [rest({ model: 'm' })] }], ['n']],
  ['one account rests', [{ ...groq, cooldowns: [rest({ account: 'groq-1' })] }], ['m', 'n']],
  [
    'a model rests at every account',
    [{ ...groq, cooldowns: [rest({ account: 'groq-1', model: 'n' }), rest({ account: 'groq-2', model: 'n' })] }],
    ['m'],
  ],
])('when %s', (_, statuses, expected) => {
  expect(rows.filter(workingBy(statuses)).map(({ model }) => model.id)).toEqual(expected)
})
