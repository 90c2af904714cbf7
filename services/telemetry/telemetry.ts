// Door of telemetry. For now it only says that it is here: facts wait in the event log, which keeps them for seven days.

import type { Logger } from '#services/logger.ts'

export interface Telemetry {
  close(): Promise<void>
}

export async function startTelemetry({ logger }: { logger: Logger }): Promise<Telemetry> {
  logger.info('ready', { note: 'analytics are not computed yet; events are kept in the log' })
  const alive = setInterval(() => {}, 2 ** 30)
  return {
    async close() {
      clearInterval(alive)
    },
  }
}
