// Pure. What tokens would have cost where they are paid for. A reference, not an invoice: one price for each size of model,
// in the order of what hosted open models are listed at, because the free tiers themselves have no price.

export const priceAssumption =
  'Reference prices by the size in the model name, in USD per million tokens (input/output): up to 10B 0.05/0.10, up to 40B 0.20/0.40, ' +
  'up to 100B 0.60/0.80, above 1.00/3.00; without a size: small variants (mini, nano, flash, lite, small, instant) 0.15/0.60, ' +
  'large variants (pro, opus, large, ultra, max) 2.00/8.00, all others 0.50/1.50. An estimate of what was avoided, not an invoice.'

interface Price {
  in: number
  out: number
}

const bySize: readonly (readonly [billions: number, price: Price])[] = [
  [10, { in: 0.05, out: 0.1 }],
  [40, { in: 0.2, out: 0.4 }],
  [100, { in: 0.6, out: 0.8 }],
  [Number.POSITIVE_INFINITY, { in: 1, out: 3 }],
]
const small: Price = { in: 0.15, out: 0.6 }
const large: Price = { in: 2, out: 8 }
const other: Price = { in: 0.5, out: 1.5 }

const SIZE = /(?:^|[^a-z0-9.])(?:(\d{1,3})x)?(\d{1,4}(?:\.\d{1,3})?)b(?![a-z0-9])/

/** Of the models seen last: every request asks, and there are few of them. */
const known = new Map<string, Price>()
const MAX_KNOWN = 1_000

/** USD per million tokens, or micro-dollars per token. */
export function referencePrice(model: string): Price {
  const before = known.get(model)
  if (before) return before
  if (known.size >= MAX_KNOWN) known.clear()
  const found = priceOf(model)
  known.set(model, found)
  return found
}

function priceOf(model: string): Price {
  const name = model.toLowerCase()
  const [, experts = '1', size] = SIZE.exec(name) ?? []
  if (size !== undefined) {
    const billions = Number(experts) * Number(size)
    return bySize.find(([most]) => billions <= most)?.[1] ?? other
  }
  const words = name.split(/[^a-z]+/)
  if (words.some((word) => ['mini', 'nano', 'flash', 'lite', 'small', 'instant'].includes(word))) return small
  if (words.some((word) => ['pro', 'opus', 'large', 'ultra', 'max'].includes(word))) return large
  return other
}

/** In whole micro-dollars, so that sums are exact in whatever order they are made. */
export function listCost(model: string, tokensIn: number, tokensOut: number): number {
  const price = referencePrice(model)
  return Math.round(tokensIn * price.in + tokensOut * price.out)
}
