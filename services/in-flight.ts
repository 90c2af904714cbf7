// Pure. What is under way, by its id: a map for entries that come and go by the thousand.
// Where V8 outgrows the table of a Map, the old table points to the new one. Once one of them has reached the old generation, it keeps every
// later table from being collected young, and with each all that was under way when it was outgrown: half of what a request had allocated
// was copied twice and waited for a full collection. So an entry is emptied before it is deleted.

export class InFlight<T extends object> {
  readonly #cells = new Map<string, { value: T | undefined }>()

  get size(): number {
    return this.#cells.size
  }

  has(id: string): boolean {
    return this.#cells.has(id)
  }

  get(id: string): T | undefined {
    return this.#cells.get(id)?.value
  }

  set(id: string, value: T): void {
    this.#cells.set(id, { value })
  }

  delete(id: string): void {
    const cell = this.#cells.get(id)
    if (!cell) return
    cell.value = undefined
    this.#cells.delete(id)
  }

  /** The oldest first. What is deleted meanwhile is passed over. */
  *values(): IterableIterator<T> {
    for (const { value } of this.#cells.values()) if (value) yield value
  }
}
