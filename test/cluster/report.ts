// Pure. What was done and survived, as a table.

import { percentile } from '#test/bench/figures.ts'
import { table } from '#test/bench/report.ts'
import type { Told } from './asking.ts'
import { type Deed, isLimited, isRight } from './judge.ts'

export interface Survived {
  what: string
  role: string
  times: number
  /** Under way while it was so. */
  requests: number
  streams: number
  failed: number
  /** How long the slowest new request waited for its first byte, or for its failure; ms. */
  slowestMs: number
  p99Ms: number
  /** From the deed until the last new request that failed because of it had been sent; ms. */
  recoveredMs: number
}

/** One row for each kind of deed and role; a deed lasts until everything is whole again. */
export function summarize(deeds: Deed[], told: Told[]): Survived[] {
  return [...Map.groupBy(deeds, ({ what, role }) => `${what} ${role}`).values()].map((group) => {
    const [{ what, role }] = group as [Deed, ...Deed[]]
    const under = group.flatMap((deed) => told.filter((one) => one.sentAt <= deed.wholeAt && one.endedAt >= deed.at))
    const since = newSince(group, deeds, told)
    const late = since.filter(({ one }) => !isRight(one)).map(({ one, deed }) => one.sentAt - deed.at)
    return {
      what,
      role,
      times: group.length,
      requests: under.length,
      streams: under.filter(({ stream }) => stream).length,
      failed: under.filter((one) => !isRight(one) && !isLimited(one)).length,
      slowestMs: waitsOf(since).at(-1) ?? 0,
      p99Ms: p99Of(since),
      recoveredMs: Math.max(0, ...late),
    }
  })
}

/** How long new requests waited for their first byte, or for their failure, whoever was killed; ms. */
export function p99AfterKills(deeds: Deed[], told: Told[]): number {
  const kills = deeds.filter(({ what }) => what === 'kill')
  return p99Of(newSince(kills, deeds, told))
}

interface New {
  one: Told
  deed: Deed
}

/** What was still under way when the next deed was done, and came to harm then, is the next one's. */
function newSince(group: Deed[], deeds: Deed[], told: Told[]): New[] {
  return group.flatMap((deed) => {
    const nextAt = Math.min(...deeds.filter(({ at }) => at > deed.at).map(({ at }) => at))
    const own = told.filter((one) => one.sentAt > deed.at && one.sentAt <= deed.wholeAt && (isRight(one) || one.endedAt < nextAt))
    return own.filter((one) => !isLimited(one)).map((one) => ({ one, deed }))
  })
}

const waitsOf = (since: New[]) => Float64Array.from(since.map(({ one }) => (one.firstAt ?? one.endedAt) - one.sentAt)).sort()
const p99Of = (since: New[]) => (since.length > 0 ? percentile(waitsOf(since), 0.99) : 0)

/** What clients were told, the most frequent first. */
export function reasons(failed: Told[]): string[] {
  const groups = Map.groupBy(failed, ({ status, error, tail = '', broken }) => {
    if (broken) return `${status} connection broken`
    const message = /"message":"([^"]*)"/.exec(tail)?.[1] ?? tail
    return `${status} ${error}: ${message.replace(/Error id: .*/, '').trim()}`
  })
  return [...groups].sort(([, a], [, b]) => b.length - a.length).map(([reason, group]) => `${String(group.length).padStart(5)} × ${reason}`)
}

export function survivedTable(rows: Survived[]): string {
  const head = [
    'fault',
    'of',
    'times',
    'requests meanwhile',
    'streams',
    'failed, with a clear error',
    'p99 of new',
    'slowest new',
    'recovered after',
  ]
  const ms = (value: number) => `${Math.round(value)} ms`
  return table(
    head,
    rows.map(({ what, role, times, requests, streams, failed, p99Ms, slowestMs, recoveredMs }) =>
      [what, role, times, requests, streams, failed, ms(p99Ms), ms(slowestMs), ms(recoveredMs)].map(String),
    ),
  )
}
