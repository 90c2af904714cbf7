// Takes the questions of operators whether a provider takes their keys, and answers them once they are tried.

import type { Bus, BusMessage } from '#contracts/bus.ts'
import type { Catalog, CatalogProvider } from '#contracts/catalog.ts'
import type { CatalogOverrides } from '#contracts/catalog-change.ts'
import { type TrialReply, trialQuestion } from '#contracts/key-trial.ts'
import { asAnswerInbox, keyTrial, keyTrials, workQueue } from '#contracts/subjects.ts'
import type { Document } from '#services/document.ts'
import type { Logger } from '#services/logger.ts'
import type { KeyRing } from './key-ring.ts'
import { tryKeys, verdict } from './key-trial.ts'

/** Trials at the same time: an operator tries one. */
const AT_ONCE = 8

export interface TrialsOptions {
  bus: Bus
  logger: Logger
  /** Serve only these; otherwise all. */
  only: readonly string[]
  catalog(): Catalog
  ring: KeyRing
  overrides: Document<CatalogOverrides>
}

/** Answers until the returned function is called. */
export function serveTrials({ bus, logger, only, catalog, ring, overrides }: TrialsOptions): () => void {
  let open = 0

  async function onQuestion({ data, reply }: BusMessage): Promise<void> {
    const to = asAnswerInbox(reply)
    if (!to) return
    open++
    const said = await replyTo(data)
    open--
    bus.publish(to, new TextEncoder().encode(JSON.stringify(said)))
  }

  async function replyTo(data: Uint8Array): Promise<TrialReply> {
    if (open > AT_ONCE) return { refused: 'too many keys are being tried; ask again in a moment' }
    try {
      const { provider: name, version } = trialQuestion.parse(JSON.parse(new TextDecoder().decode(data)))
      await overrides.seen(version)
      const provider = await known(name)
      if (!provider) return { refused: 'the worker does not know this provider yet; ask again in a moment' }
      const keys = ring.keysOf(provider)
      const fault = ring.faultOf(name)
      if (fault)
        return { keys: [{ ...verdict(`${name}-1`, 'sealed', 0, 0), message: `the stored key cannot be opened by the worker: ${fault}` }] }
      return { keys: await tryKeys(provider, keys) }
    } catch (error) {
      logger.error('a key could not be tried', { error })
      return { refused: 'the worker could not try the key; its log says why' }
    }
  }

  /** What was added a moment ago may still be on its way here. */
  async function known(name: string): Promise<CatalogProvider | undefined> {
    for (let tries = 0; ; tries++) {
      const provider = catalog().providers.find((one) => one.name === name)
      if (provider || tries === KNOWN_TRIES) return provider
      await new Promise((resolve) => setTimeout(resolve, KNOWN_EVERY_MS))
    }
  }

  const subjects = only.length === 0 ? [keyTrials] : only.map(keyTrial)
  const subscriptions = subjects.map((at) => bus.subscribe(at, (message) => void onQuestion(message), { queue: workQueue }))
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe()
  }
}

const KNOWN_TRIES = 20
const KNOWN_EVERY_MS = 50
