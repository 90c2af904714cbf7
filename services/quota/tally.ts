// Pure. Amounts that each count until a time of their own, and their sum without adding them up anew for every question.

/** Until when, and how much. */
export type Cell = readonly [untilMs: number, amount: number]

export class Tally {
  readonly #cells = new Map<number, number>()
  #sum = 0
  #nextMs = Number.POSITIVE_INFINITY

  /** Negative amounts take back what was added. */
  add(untilMs: number, amount: number): void {
    const before = this.#cells.get(untilMs) ?? 0
    this.#sum += amount
    if (before + amount === 0) this.#cells.delete(untilMs)
    else {
      this.#cells.set(untilMs, before + amount)
      if (untilMs < this.#nextMs) this.#nextMs = untilMs
    }
  }

  get(untilMs: number): number {
    return this.#cells.get(untilMs) ?? 0
  }

  /** What still counts at `nowMs`; what does not is forgotten. */
  sum(nowMs: number): number {
    if (nowMs < this.#nextMs) return this.#sum
    this.#sum = 0
    this.#nextMs = Number.POSITIVE_INFINITY
    for (const [untilMs, amount] of this.#cells) {
      if (untilMs <= nowMs) this.#cells.delete(untilMs)
      else {
        this.#sum += amount
        if (untilMs < this.#nextMs) this.#nextMs = untilMs
      }
    }
    return this.#sum
  }

  cells(): Cell[] {
    return [...this.#cells]
  }

  replace(cells: readonly Cell[]): void {
    this.#cells.clear()
    this.#sum = 0
    this.#nextMs = Number.POSITIVE_INFINITY
    for (const [untilMs, amount] of cells) this.add(untilMs, amount)
  }
}
