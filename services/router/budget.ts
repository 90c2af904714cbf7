// What the limits of a provider mean for one job: whether it may be taken now, and when if not.

/** The room that is left in the tightest limit of a provider's account for a model. */
export interface Room {
  /** 0: spent; 1: untouched. */
  headroom: number
  /** When a request may be taken, in ms from now. Absent: now. */
  opensInMs?: number
}
