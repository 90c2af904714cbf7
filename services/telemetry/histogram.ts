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

/** The sum of many histograms, to be asked for quantiles. */
export interface Distribution {
  add(histogram: Histogram): void
  /** What was added, as one. */
  histogram(): Histogram
  /** The duration in ms below which the share `q` lies; null if it is empty. */
  quantile(q: number): number | null
}

export function openDistribution(): Distribution {
  const counts = new Float64Array(LAST + 1)
  let total = 0
  return {
    add(histogram) {
      for (let i = 0; i < histogram.length; i += 2) {
        const count = histogram[i + 1] ?? 0
        const bucket = Math.min(LAST, histogram[i] ?? 0)
        counts[bucket] = (counts[bucket] ?? 0) + count
        total += count
      }
    },
    histogram() {
      const sum: Histogram = []
      for (const [bucket, count] of counts.entries()) if (count !== 0) sum.push(bucket, count)
      return sum
    },
    quantile(q) {
      if (total <= 0) return null
      const rank = Math.max(1, Math.ceil(q * total))
      let before = 0
      for (let bucket = 0; bucket <= LAST; bucket++) {
        const count = counts[bucket] ?? 0
        if (before + count >= rank) return round(within(bucket, (rank - before - 0.5) / count))
        before += count
      }
      return null
    },
  }
}

/** Between two calls all zeros: a map of its own for each sum would cost several times as much. */
const scratch = new Float64Array(LAST + 1)

/** The sum of two; buckets that come to nothing vanish. */
export function mergeHistograms(one: Histogram, other: Histogram): Histogram {
  for (const histogram of [one, other]) {
    for (let i = 0; i < histogram.length; i += 2) {
      const bucket = Math.min(LAST, histogram[i] ?? 0)
      scratch[bucket] = (scratch[bucket] ?? 0) + (histogram[i + 1] ?? 0)
    }
  }
  const sum: Histogram = []
  for (let bucket = 0; bucket <= LAST; bucket++) {
    const count = scratch[bucket] ?? 0
    if (count !== 0) sum.push(bucket, count)
  }
  scratch.fill(0)
  return sum
}

function within(bucket: number, share: number): number {
  return bucket === 0 ? share : 2 ** ((bucket - 1 + share) / PER_OCTAVE)
}

function round(ms: number): number {
  return ms < 10 ? Math.round(ms * 100) / 100 : Math.round(ms)
}
