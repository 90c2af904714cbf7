// How long the answer of a bucket is waited for. One that says something now and then is only slow, and near a limit its answer is worth more
// than the time: whoever decides without it meanwhile may take what others are just taking.

/** A bucket that has not answered for this long delays nobody while there is plenty left. */
const PATIENCE_MS = 50
/** Nothing was heard of it for this long: it is away. */
const SILENCE_MS = 1_500
/** Whatever is heard. */
const AT_MOST_MS = 10_000

export interface Impatience {
  /** Called once, soon. */
  slow(): void
  /** Called once, when the bucket has to be taken for away. */
  away(): void
  /** When the bucket last said anything, monotonic ms. */
  heardMs(): number
}

/** Disposed of when there is an answer. */
export function waitFor({ slow, away, heardMs }: Impatience): Disposable {
  const sinceMs = performance.now()
  const first = setTimeout(slow, PATIENCE_MS)
  let last = setTimeout(look, SILENCE_MS)
  function look(): void {
    const nowMs = performance.now()
    const silentMs = nowMs - Math.max(sinceMs, heardMs())
    if (silentMs >= SILENCE_MS || nowMs - sinceMs >= AT_MOST_MS) away()
    else last = setTimeout(look, SILENCE_MS - silentMs)
  }
  return {
    [Symbol.dispose]() {
      clearTimeout(first)
      clearTimeout(last)
    },
  }
}
