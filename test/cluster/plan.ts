// Pure. What is done to the deployment, and in which order: the same for the same seed.

import type { Chance } from './random.ts'

export const roles = ['ingress', 'router', 'worker', 'telemetry', 'broker'] as const
export type Role = (typeof roles)[number]
export const kinds = ['kill', 'freeze', 'partition'] as const
export type Kind = (typeof kinds)[number]

export interface Fault {
  kind: Kind
  role: Role
  /** Which replica, counted from 0. */
  slot: number
}

/** Longer than the silence after which a peer is given up (3 s), so that whoever is away is missed. */
export const FROZEN_MS = 3_500
export const PARTED_MS = 4_500

/** Every kind of process dies, stands still and loses its broker once a round; who, and in which order, is chance. */
export function planFaults(chance: Chance, rounds: number, replicas: Record<Role, number>, far: Record<Role, number | undefined>): Fault[] {
  return Array.from({ length: rounds }).flatMap(() => {
    const round: Fault[] = []
    for (const role of roles) {
      for (const kind of ['kill', 'freeze'] as const) round.push({ kind, role, slot: chance.below(replicas[role]) })
      // Only who is behind a cable can be cut off.
      const slot = far[role]
      if (slot !== undefined) round.push({ kind: 'partition', role, slot })
    }
    return chance.shuffle(round)
  })
}
