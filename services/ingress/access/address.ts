// Pure. Addresses and ranges as numbers, v4 and v6 alike, and who stands behind our own proxies.

/** An IPv4 address lies at ::ffff:0:0/96, where dual-stack sockets see it. */
const V4 = 0xffffn << 32n

export interface Range {
  /** The first `bits` bits of the address. */
  prefix: bigint
  /** Of 128. */
  bits: number
}

/** Undefined if the text is no address. Takes `1.2.3.4`, `::1`, `::ffff:1.2.3.4`, and a zone (`fe80::1%eth0`), which is ignored. */
export function parseAddress(text: string): bigint | undefined {
  if (!text.includes(':')) {
    const v4 = parseV4(text)
    return v4 === undefined ? undefined : V4 | v4
  }
  return text.length > 64 ? undefined : parseV6(text.split('%', 1)[0] as string)
}

/** `10.0.0.0/8`, `2001:db8::/32`, or a single address. Undefined if it is none, or has bits beyond its length. */
export function parseRange(text: string): Range | undefined {
  const range = rangeAround(text)
  const isWhole = range && range.prefix << BigInt(128 - range.bits) === parseAddress(text.split('/', 1)[0] as string)
  return isWhole ? range : undefined
}

/** The same, and the range in which an address lies: `172.17.0.1/16`, as a machine tells of its networks. */
export function rangeAround(text: string): Range | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const value = parseAddress(address)
  if (value === undefined || rest.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  const isV4 = !address.includes(':')
  const bits = length === undefined ? 128 : Number(length) + (isV4 ? 96 : 0)
  return bits > 128 ? undefined : { prefix: value >> BigInt(128 - bits), bits }
}

/** Values by range: one look-up for each length of range in use, however many ranges there are. */
export interface RangeMap<T> {
  readonly size: number
  /** Of the most exact range that holds the address and whose value `counts`. */
  find(address: bigint, counts: (value: T) => boolean): T | undefined
}

export function rangeMap<T>(entries: Iterable<readonly [Range, T]>): RangeMap<T> {
  const byBits = new Map<number, Map<bigint, T[]>>()
  let size = 0
  for (const [{ prefix, bits }, value] of entries) {
    const ranges = byBits.get(bits) ?? new Map<bigint, T[]>()
    ranges.set(prefix, [...(ranges.get(prefix) ?? []), value])
    byBits.set(bits, ranges)
    size++
  }
  const lengths = [...byBits].sort(([a], [b]) => b - a).map(([bits, ranges]) => ({ shift: BigInt(128 - bits), ranges }))
  return {
    size,
    find(address, counts) {
      for (const { shift, ranges } of lengths) {
        const found = ranges.get(address >> shift)?.find(counts)
        if (found !== undefined) return found
      }
      return undefined
    },
  }
}

/**
 * The address that a request comes from. `forwarded` (X-Forwarded-For) is believed only as far as our own proxies wrote it:
 * from the right, the first address that is none of theirs. What stands left of it may be made up.
 */
export function clientAddress(peer: string, forwarded: string | null, isTrusted: (address: string) => boolean): string {
  if (forwarded === null || !isTrusted(peer)) return peer
  let client = peer
  const hops = forwarded.slice(-MAX_FORWARDED_CHARS).split(',')
  for (const hop of hops.reverse()) {
    const address = withoutPort(hop.trim())
    if (parseAddress(address) === undefined) return client
    client = address
    if (!isTrusted(address)) return client
  }
  return client
}

const MAX_FORWARDED_CHARS = 2048

/** What counts as one caller: an IPv4 address, or the /64 that an IPv6 subscriber is given. */
export function networkOf(address: string): string {
  const value = parseAddress(address)
  if (value === undefined) return address
  return value >> 32n === 0xffffn ? value.toString(36) : `${(value >> 64n).toString(36)}/64`
}

/** This machine talking to itself. */
export function isLoopback(address: string): boolean {
  const value = parseAddress(address)
  return value === 1n || (value !== undefined && value >> 24n === ((0xffffn << 8n) | 127n))
}

/** `1.2.3.4:5678` and `[::1]:5678`, as some proxies write it. */
function withoutPort(text: string): string {
  if (text.startsWith('[')) return text.slice(1, Math.max(1, text.indexOf(']')))
  return text.indexOf(':') === text.lastIndexOf(':') ? (text.split(':', 1)[0] as string) : text
}

function parseV4(text: string): bigint | undefined {
  if (text.length > 15) return undefined
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    // A leading zero would be octal to some readers and decimal to others.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return BigInt(value)
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [left, right] = halves.map((half) => groupsOf(half))
  if (!left || (halves.length === 2 && !right)) return undefined
  const missing = 8 - left.length - (right?.length ?? 0)
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  let value = 0n
  for (const group of [...left, ...Array<number>(missing).fill(0), ...(right ?? [])]) value = (value << 16n) | BigInt(group)
  return value
}

/** Groups of 16 bits; the last two may be written as IPv4. Undefined if one is malformed. */
function groupsOf(half: string): number[] | undefined {
  if (half === '') return []
  const groups: number[] = []
  const parts = half.split(':')
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && i === parts.length - 1) {
      const v4 = parseV4(part)
      if (v4 === undefined) return undefined
      groups.push(Number(v4 >> 16n), Number(v4 & 0xffffn))
    } else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16))
    else return undefined
  }
  return groups
}
