// For tests of what is refused.

import { FreewayError } from '#contracts/failure.ts'

/** With what `read` refuses; throws if it does not, and whatever else it throws. */
export function refusalOf(read: () => unknown): FreewayError {
  try {
    read()
  } catch (error) {
    if (error instanceof FreewayError) return error
    throw error
  }
  throw new Error('accepted')
}
