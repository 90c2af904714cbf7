// Pure. Data goes forward only: what a newer version has written may be read where it still can be, and is never written over,
// for what we do not know of would be lost. Whoever finds such data says so and stops, or leaves it alone.

import { SettingsError } from './settings-error.ts'

/** Of entries in key-value buckets. Written into them as `format` from the second one on; without it they are of the first. */
export const ENTRY_FORMAT = 1

/** The entry was written by a newer version of freeway. */
export class NewerEntry extends Error {
  override name = 'NewerEntry'
  constructor(key: string, format: number) {
    super(
      `${key} was written by a newer version of freeway (format ${format}, this one knows ${ENTRY_FORMAT}) and was left as it is: ` +
        'end the processes of the older version, or go back to the newer one',
    )
  }
}

/** The format of an entry that is newer than we know; undefined for all others. */
export function newerFormat(entry: unknown): number | undefined {
  const format = (entry as { format?: unknown } | null | undefined)?.format
  return typeof format === 'number' && format > ENTRY_FORMAT ? format : undefined
}

/** Throws NewerEntry. */
export function refuseNewerEntry(key: string, entry: unknown): void {
  const format = newerFormat(entry)
  if (format !== undefined) throw new NewerEntry(key, format)
}

/** For a file with tables, or a database. Throws SettingsError, which stops the start, or keeps the store from being used. */
export function refuseNewerData(place: string, version: number, known: number): void {
  if (version <= known) return
  throw new SettingsError(
    `${place} was written by a newer version of freeway (data of version ${version}, this one knows ${known}) and was left as it is: ` +
      'start the newer version again, or name another place in FREEWAY_DATA or MONGODB_URL',
  )
}
