// Every operation that is described, in the order in which a reader meets them.

import type { Operation } from './operation.ts'
import { accessOperations } from './operations/access.ts'
import { analyticsOperations } from './operations/analytics.ts'
import { chatOperations } from './operations/chat.ts'
import { clientOperations } from './operations/clients.ts'
import { communityOperations } from './operations/community.ts'
import { healthOperations } from './operations/health.ts'
import { liveOperations } from './operations/live.ts'
import { mediaOperations } from './operations/media.ts'
import { modelOperations } from './operations/models.ts'
import { phpOperations } from './operations/php.ts'
import { providerOperations } from './operations/providers.ts'
import { responsesOperations } from './operations/responses.ts'
import { soundOperations } from './operations/sound.ts'
import { strategyOperations } from './operations/strategies.ts'

export const operations: readonly Operation[] = [
  ...chatOperations,
  ...responsesOperations,
  ...mediaOperations,
  ...soundOperations,
  ...modelOperations,
  ...phpOperations,
  ...providerOperations,
  ...strategyOperations,
  ...clientOperations,
  ...accessOperations,
  ...communityOperations,
  ...analyticsOperations,
  ...liveOperations,
  ...healthOperations,
]
