// Until a contestant is warm. Code that has run little is slow, the more so the more of it there is: whoever is measured too early is measured
// for its size. So each is kept busy until it becomes no cheaper.

/** Cheaper by less than this share is no cheaper. */
const GAIN = 0.05
const TURNS_WITHOUT_GAIN = 4
const TURNS_AT_MOST = 30

/** `turn` works for a while and returns its cost for each request. */
export async function warmUp(turn: () => Promise<number>): Promise<void> {
  let best = Number.POSITIVE_INFINITY
  let without = 0
  for (let turns = 0; turns < TURNS_AT_MOST && without < TURNS_WITHOUT_GAIN; turns++) {
    const cost = await turn()
    without = cost < best * (1 - GAIN) ? 0 : without + 1
    best = Math.min(best, cost)
  }
}
