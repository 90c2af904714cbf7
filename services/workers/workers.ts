// Door of the workers: takes offers for the providers it serves, and runs one attempt for each that is granted.

import type { ControlMessage, Offer } from '#contracts/attempt.ts'
import { controlKinds, offerKinds } from '#contracts/attempt.ts'
import type { Backbone, BusMessage } from '#contracts/bus.ts'
import { catalogOverrides } from '#contracts/catalog-change.ts'
import { FreewayError } from '#contracts/failure.ts'
import { absence, confirmation, RECONNECT_GRACE_MS } from '#contracts/liveness.ts'
import { decodeKind, Message } from '#contracts/message.ts'
import type { Subject } from '#contracts/subjects.ts'
import { asInbox, attemptOf, blob, buckets, catalogOverridesKey, control } from '#contracts/subjects.ts'
import { BodyUnavailable, fetchBlob } from '#services/blob.ts'
import { watchCatalog } from '#services/catalog-watch.ts'
import { openDocument } from '#services/document.ts'
import { InFlight } from '#services/in-flight.ts'
import type { Logger } from '#services/logger.ts'
import type { Outbox } from '#services/outbox.ts'
import type { Settings } from '#services/settings.ts'
import { openSettlements } from '#services/settlements.ts'
import type { Vault } from '#services/vault.ts'
import { Answer } from './answer.ts'
import { Attempt } from './attempt.ts'
import type { AttemptReport } from './attempt-world.ts'
import { rememberEnded } from './ended.ts'
import { openKeyRing } from './key-ring.ts'
import type { Account } from './keys.ts'
import { countCall, measurePlaces } from './measures.ts'
import { type MediaCall, openMediaCall } from './media.ts'
import { tooLate } from './outgoing.ts'
import { inlinePictures } from './pictures-inline.ts'
import type { Place } from './places.ts'
import { openPlaces } from './places.ts'
import { noCall, pulledCall } from './pulled-call.ts'
import { providerRequest } from './request.ts'
import { serveTrials } from './trials.ts'
import type { UpstreamCall, UpstreamEvents } from './upstream.ts'
import { openWitness } from './witness.ts'

const TICK_MS = 20
const SILENCE_MS = 3_000
const SETTLE_ON_CLOSE_MS = 2_000

export interface Workers {
  readonly inFlight: number
  /** Takes no further offers; what runs goes on. */
  drain(): void
  /** Resolves when nothing is in flight, at the latest after `graceMs`. */
  idle(graceMs: number): Promise<void>
  close(): Promise<void>
}

export interface WorkersOptions {
  backbone: Backbone
  settings: Settings
  /** Opens the keys that an admin has stored. */
  vault: Vault
  logger: Logger
  instance: string
  /** None where a worker lives and dies with its ingress, which tells the same. */
  outbox: Pick<Outbox, 'record'> | undefined
  /** Serve only these; otherwise every provider whose key is here. */
  only: readonly string[]
}

export async function startWorkers(options: WorkersOptions): Promise<Workers> {
  const { backbone, settings, vault, logger, instance, outbox, only } = options
  const { bus } = backbone
  const config = await backbone.keyValue(buckets.config)
  const overrides = await openDocument(config, catalogOverridesKey, catalogOverrides)
  const ring = openKeyRing({ settings, vault, logger, overrides: () => overrides.current })
  const places = openPlaces({ bus, settings: ring, instance, only, onOffer, onControl })
  const attempts = new InFlight<Attempt>()
  const ended = rememberEnded(performance.now())
  const settlements = openSettlements(bus)
  const witness = outbox && openWitness(bus, outbox, settlements)
  const patience = { silenceMs: SILENCE_MS, ...confirmation[bus.topology] }
  let draining = false
  let reconnectedMs = Number.NEGATIVE_INFINITY
  let lastTickMs = performance.now()
  let idle: (() => void) | undefined

  bus.onStatus((status) => {
    if (status !== 'reconnected') return
    reconnectedMs = performance.now()
    for (const attempt of attempts.values()) attempt.onReconnected(reconnectedMs)
  })

  const ticker = setInterval(() => {
    const nowMs = performance.now()
    const absentMs = absence(nowMs - lastTickMs, TICK_MS)
    lastTickMs = nowMs
    if (!bus.connected) return
    if (absentMs > 0) for (const attempt of attempts.values()) attempt.onAbsence(absentMs)
    for (const attempt of attempts.values()) attempt.tick(nowMs, nowMs - reconnectedMs < RECONNECT_GRACE_MS)
  }, TICK_MS)

  function onOffer(place: Place, message: BusMessage): void {
    const read = decodeKind<Offer>(offerKinds, message)
    if (!read) return logger.warn('unreadable offer', { provider: place.provider.name })
    const { message: offer, body } = read
    const key = `${offer.id}.${offer.n}`
    const inbox = asInbox(offer.inbox, offer.id, offer.n)
    if (!inbox || offer.prov !== place.provider.name || attempts.has(key) || ended.has(key)) return
    const reason = reasonToRefuse(place, offer)
    if (reason) {
      const { prov, account, lease } = offer
      return void bus.publish(inbox, new Message({ t: 'busy', prov, account, lease, w: instance, reason }))
    }
    place.calling++
    place.inFlight++
    attempts.set(key, newAttempt(place, offer, body, inbox, key))
  }

  function reasonToRefuse(place: Place, offer: Offer): 'draining' | 'full' | 'version' | undefined {
    if (draining || place.retired) return 'draining'
    if (place.calling >= place.provider.max_concurrency) return 'full'
    // The router knows of a key that this process has not been given yet.
    return place.accounts.has(offer.account) ? undefined : 'version'
  }

  function newAttempt(place: Place, offer: Offer, body: Uint8Array | undefined, inbox: Subject, key: string): Attempt {
    let granted = false
    const media = openMediaCall(place, offer)
    return new Attempt(
      offer,
      {
        bus,
        worker: instance,
        provider: place.provider,
        inbox,
        control: control(offer.prov, instance, offer.id, offer.n),
        patience,
        call(events) {
          granted = true
          return startCall(place, offer, body, events, media)
        },
        answer: (sink) => media?.answer(sink) ?? new Answer(offer, sink, place),
        onCalled(result) {
          place.calling--
          if (result === 'ok' && offer.adapt) place.habits.remember(offer.model, offer.adapt)
        },
        onOver(report) {
          places.left(place)
          attempts.delete(key)
          ended.add(key, granted, performance.now())
          settle(offer, report, granted)
          if (attempts.size === 0) idle?.()
        },
      },
      performance.now(),
    )
  }

  function startCall(
    place: Place,
    offer: Offer,
    inline: Uint8Array | undefined,
    events: UpstreamEvents,
    media: MediaCall | undefined,
  ): UpstreamCall {
    const account = place.accounts.get(offer.account) as Account
    const send = (body: Uint8Array) => {
      try {
        const request = media?.request(account, body) ?? providerRequest(account, place.habits, offer, body, place.dialect)
        return place.upstream.call(request, events)
      } catch (error) {
        if (!(error instanceof FreewayError)) logger.error('a request could not be written', { provider: offer.prov, error })
        return noCall(events, error)
      }
    }
    const fetchesPictures = settings.fetchImages && offer.kind === 'chat' && place.provider.request_policy.images === 'inline_only'
    if (inline && !fetchesPictures) return send(inline)
    const ingress = offer.inbox.split('.').at(-3)
    if (!inline && (!offer.blob || !ingress)) return noCall(events, new BodyUnavailable('offer without a body'))
    const pull = inline ? async () => inline : fetchBlobOf(offer, ingress as string)
    return pulledCall(fetchesPictures ? async (signal) => inlinePictures(await pull(signal), signal) : pull, send, events)
  }

  function fetchBlobOf(offer: Offer, ingress: string): (signal: AbortSignal) => Promise<Uint8Array> {
    return (signal) => fetchBlob(bus, blob(ingress, offer.id), offer.n, offer.blob as NonNullable<Offer['blob']>, signal)
  }

  function settle(offer: Offer, report: AttemptReport, granted: boolean): void {
    if (granted) countCall(offer.prov, report.result)
    const { account, lease } = offer
    if (!granted) settlements.report(account, { t: 'release', lease })
    else if (report.orphan) settlements.report(account, { t: 'settle', lease, mode: 'estimate', usage: report.usage })
    witness?.ended(offer, report)
  }

  function onControl(message: BusMessage): void {
    const at = attemptOf(message.subject)
    if (!at) return
    const key = `${at.request}.${at.n}`
    const attempt = attempts.get(key)
    const nowMs = performance.now()
    if (message.noResponders) return attempt?.onNobodyThere(nowMs)
    const said = decodeKind<ControlMessage>(controlKinds, message)?.message
    if (!said) return
    if (said.t === 'fins') {
      for (const one of said.of) attempts.get(one)?.onConfirmed(nowMs)
      return
    }
    if (attempt) return attempt.onControl(said, nowMs)
    const inbox = asInbox(message.reply, at.request, at.n)
    if (said.t !== 'grant' || !inbox) return
    bus.publish(inbox, new Message(tooLate(ended.wasGranted(key) ? 'gone' : 'expired')))
  }

  const catalog = await watchCatalog(config, (now) => places.update(now))
  overrides.onChange(() => places.update(catalog.current))
  const endTrials = serveTrials({ bus, logger, only, catalog: () => catalog.current, ring, overrides })
  const stopMeasuring = measurePlaces(() => places.all)
  await bus.flush()
  for (const [provider, reason] of places.missing(catalog.current)) logger.warn('provider cannot be served', { provider, reason })
  logger.info('ready', { providers: places.names })

  return {
    get inFlight() {
      return attempts.size
    },
    drain() {
      draining = true
      places.drain()
    },
    async idle(graceMs) {
      if (attempts.size === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      idle = resolve
      const timer = setTimeout(resolve, graceMs)
      await promise
      clearTimeout(timer)
    },
    async close() {
      clearInterval(ticker)
      stopMeasuring()
      endTrials()
      overrides.close()
      catalog.close()
      for (const attempt of attempts.values()) attempt.abandon(performance.now())
      witness?.close()
      await places.close()
      await settlements.close(SETTLE_ON_CLOSE_MS)
      await bus.flush()
    },
  }
}
