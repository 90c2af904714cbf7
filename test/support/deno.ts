// Deno as it is installed here.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

/** The launcher of the package waits for its child and passes no signals on, so the binary is run itself. */
export function denoBinary(): string {
  const require = createRequire(import.meta.url)
  const { runInstall } = require('deno/install_api.cjs') as { runInstall(): string }
  const own = join(import.meta.dirname, '../../node_modules/deno/deno')
  return existsSync(own) ? own : runInstall()
}
