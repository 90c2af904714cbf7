// Every operation that is described, in the order in which a reader meets them.

import type { Operation } from './operation.ts'
import { accessOperations, clientOperations } from './operations/access.ts'
import { analyticsOperations } from './operations/analytics.ts'
import { chatOperations } from './operations/chat.ts'
import { healthOperations } from './operations/health.ts'
import { modelOperations } from './operations/models.ts'
import { phpOperations } from './operations/php.ts'
import { responsesOperations } from './operations/responses.ts'

export const operations: readonly Operation[] = [
  ...chatOperations,
  ...responsesOperations,
  ...modelOperations,
  ...phpOperations,
  ...clientOperations,
  ...accessOperations,
  ...analyticsOperations,
  ...healthOperations,
]
