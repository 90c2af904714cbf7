// The catalogue as it would be in force: what is shipped, and what freeway.json says of it.

import type { Catalog, Provider } from '#contracts/catalog.ts'
import { buildCatalog, offUnasked } from '../router/build-catalog.ts'
import { shippedCatalog } from '../router/shipped.ts'
import type { Settings } from '../settings.ts'
import { SettingsError } from '../settings-error.ts'
import { type Finding, fault, ok, warn } from './finding.ts'

export interface KnownProviders {
  findings: Finding[]
  shipped: readonly Provider[]
  /** Those that have a key and are on. */
  providers: Catalog['providers']
}

export async function checkCatalog(settings: Settings): Promise<KnownProviders> {
  const shipped = await shippedCatalog()
  try {
    const catalog = buildCatalog(shipped, settings)
    const usable = catalog.providers.filter(({ enabled, configured }) => enabled && configured)
    const keyed = usable.filter((provider) => settings.keysOf(provider).length > 0)
    const off = offUnasked(catalog, settings).map(({ name, terms }) =>
      warn(
        name,
        `has a key or is named, but is off: ${terms ?? 'it gives nothing away'}`,
        `"providers": {"${name}": {"enabled": true}} in freeway.json`,
      ),
    )
    return { findings: [keys(keyed.length, usable.length - keyed.length, settings), ...off], shipped: shipped.providers, providers: keyed }
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return {
      findings: error.message
        .split('\n')
        .map((line) => fault('config', line, 'correct it there; docs/configuration.md describes every setting')),
      shipped: shipped.providers,
      providers: [],
    }
  }
}

function keys(keyed: number, open: number, { demo }: Pick<Settings, 'demo'>): Finding {
  if (keyed === 0) {
    const instead = demo === 'off' ? 'and the demo is off: nobody answers' : 'so the demo answers'
    const says = `there is no provider key${open === 0 ? `, ${instead}` : `; ${open} providers answer without one`}`
    return warn('providers', says, 'get a free key, e.g. at groq.com, and set GROQ_API_KEY in .env')
  }
  return ok(
    'providers',
    `${keyed} with a key${open === 0 ? '' : `, ${open} that need none`}; keys that an admin has stored are not looked at`,
  )
}
