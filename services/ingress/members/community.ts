// Everything by which members help themselves, opened together: challenges, the core, and its two faces.

import type { KeyValue } from '#contracts/bus.ts'
import type { Accounts } from '#services/accounts.ts'
import { openDiscord } from '#services/discord.ts'
import type { Logger } from '#services/logger.ts'
import type { Settings } from '#services/settings.ts'
import type { Policy } from '../access/policy.ts'
import type { AccessAdmin } from '../admin/changing.ts'
import type { Route } from '../routes.ts'
import { openChallenges } from './challenges.ts'
import { discordRoutes } from './discord-face.ts'
import { openLateAnswers } from './late-answers.ts'
import { memberRoutes } from './member-routes.ts'
import { openMembers } from './members.ts'
import { openRoster } from './roster.ts'
import { openTally } from './tally.ts'

export interface Community {
  /** What is known of the members is too old to rely on. */
  readonly stale: boolean
  routes(admin: AccessAdmin): Route[]
  close(): Promise<void>
}

export interface CommunityOptions {
  /** The bucket of access. */
  kv: KeyValue
  accounts: Accounts
  policy: Policy
  settings: Settings
  adminToken: string
  logger: Logger
  now: () => number
}

export async function openCommunity({ kv, accounts, policy, settings, adminToken, logger, now }: CommunityOptions): Promise<Community> {
  const { discord } = settings
  if (discord) logger.secret(discord.botToken())
  const tally = openTally(kv, now)
  const refreshMs = discord?.refreshMs ?? 0
  const api = discord && openDiscord(discord)
  const roster = api && (await openRoster({ kv, accounts, policy, tally, discord: api, refreshMs, logger, now }))
  const lateAnswers = api && openLateAnswers(api, logger)
  return {
    get stale() {
      return roster?.stale ?? false
    },
    routes(admin) {
      const challenges = openChallenges(adminToken, tally, now)
      const members = openMembers(admin, challenges, tally)
      const core = { admin, members, challenges }
      return [
        ...memberRoutes({ ...core, roster }),
        ...(discord && roster && lateAnswers ? discordRoutes({ ...core, roster, settings: discord, lateAnswers, logger }) : []),
      ]
    },
    async close() {
      await lateAnswers?.close()
      await roster?.close()
    },
  }
}
