// Waiting for what a callback brings, without sleeping.

export interface Collector<T> {
  readonly items: T[]
  add(item: T): void
  /** Resolves with the first `count` items. Rejects after five seconds, saying how many there are. */
  until(count: number): Promise<T[]>
}

export function collect<T>(): Collector<T> {
  const items: T[] = []
  const waiting = new Set<() => void>()
  return {
    items,
    add(item) {
      items.push(item)
      for (const check of waiting) check()
    },
    until(count) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check)
          reject(new Error(`waited for ${count} items, got ${items.length}`))
        }, 5000)
        const check = () => {
          if (items.length < count) return
          clearTimeout(timer)
          waiting.delete(check)
          resolve(items.slice(0, count))
        }
        waiting.add(check)
        check()
      })
    },
  }
}
