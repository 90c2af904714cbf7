// The facts that freeway ships: one JSON file per provider, and the names that lead to their models.

import { readdir, readFile } from 'node:fs/promises'
import { z } from 'zod'
import { provider } from '#contracts/catalog.ts'
import { aliasTargets } from '#contracts/catalog-change.ts'
import type { Known } from './build-catalog.ts'

const folder = new URL('./catalog/', import.meta.url)
const ALIASES = 'aliases.json'
const aliasFile = z.record(z.string(), aliasTargets)

export async function shippedCatalog(): Promise<Known> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.json') && file !== ALIASES).sort()
  const [aliases, ...providers] = await Promise.all([readJson(ALIASES), ...files.map(readJson)])
  return {
    providers: providers.map((entry) => provider.parse(entry)),
    aliases: Object.entries(aliasFile.parse(aliases)).flatMap(([name, targets]) =>
      [targets].flat().map((target): [string, string] => [name, target]),
    ),
  }
}

async function readJson(file: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(file, folder), 'utf8'))
}
