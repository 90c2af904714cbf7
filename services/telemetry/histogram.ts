// Pure. Times in buckets that grow by a twelfth each: any quantile within five percent, and histograms add up.

const PER_OCTAVE = 8
/** 2^24 ms are four and a half hours; what takes longer counts as that. */
const LAST = 24 * PER_OCTAVE + 1

/** Sparse and flat: bucket, count, bucket, count, ... */
export type Histogram = number[]

/** The bucket of a duration; below one millisecond it is 0. */
export function bucketOf(ms: number): number {
  return ms < 1 ? 0 : Math.min(LAST, 1 + Math.floor(Math.log2(ms) * PER_OCTAVE))
}

/** Of a list of buckets and counts. A table of all buckets is three times as long. */
const FEW = 64

/**
 * The sum of many histograms, to be asked for quantiles. A list as long as little was added: of ten thousand clients each has sums of
 * its own, and few of them many calls.
 */
export class Distribution {
  #few: Histogram = []
  #counts: Float64Array | undefined

  add(histogram: Histogram): void {
    if (this.#counts || this.#few.length + histogram.length > FEW) return addInto(this.#table(), histogram)
    for (const value of histogram) this.#few.push(value)
  }

  addTo(other: Distribution): void {
    other.add(this.#counts ? listOf(this.#counts) : this.#few)
  }

  /** The duration in ms below which the share `q` lies; null if it is empty. */
  quantile(q: number): number | null {
    const counts = this.#table()
    const total = counts.reduce((sum, count) => sum + count, 0)
    if (total <= 0) return null
    const rank = Math.max(1, Math.ceil(q * total))
    let before = 0
    for (let bucket = 0; bucket <= LAST; bucket++) {
      const count = counts[bucket] ?? 0
      if (before + count >= rank) return round(within(bucket, (rank - before - 0.5) / count))
      before += count
    }
    return null
  }

  #table(): Float64Array {
    if (this.#counts) return this.#counts
    this.#counts = new Float64Array(LAST + 1)
    addInto(this.#counts, this.#few)
    this.#few = []
    return this.#counts
  }
}

function addInto(counts: Float64Array, histogram: Histogram): void {
  for (let i = 0; i < histogram.length; i += 2) {
    const bucket = Math.min(LAST, histogram[i] ?? 0)
    counts[bucket] = (counts[bucket] ?? 0) + (histogram[i + 1] ?? 0)
  }
}

function listOf(counts: Float64Array): Histogram {
  const list: Histogram = []
  for (let bucket = 0; bucket <= LAST; bucket++) {
    const count = counts[bucket] ?? 0
    if (count !== 0) list.push(bucket, count)
  }
  return list
}

/** Between two calls all zeros: a map of its own for each sum would cost several times as much. */
const scratch = new Float64Array(LAST + 1)

/** The sum of two; buckets that come to nothing vanish. */
export function mergeHistograms(one: Histogram, other: Histogram): Histogram {
  addInto(scratch, one)
  addInto(scratch, other)
  const sum = listOf(scratch)
  scratch.fill(0)
  return sum
}

function within(bucket: number, share: number): number {
  return bucket === 0 ? share : 2 ** ((bucket - 1 + share) / PER_OCTAVE)
}

function round(ms: number): number {
  return ms < 10 ? Math.round(ms * 100) / 100 : Math.round(ms)
}
