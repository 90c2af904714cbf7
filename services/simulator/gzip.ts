// Pure. Gzip that a reader can unpack event by event: each part is a deflate block of its own, all in one member (RFC 1952).

import { Buffer } from 'node:buffer'
import { constants, crc32, deflateRawSync } from 'node:zlib'

const head = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff])
const lastBlock = Buffer.from([3, 0])

export function createGzipper(): { push(part: Uint8Array): Uint8Array; end(): Uint8Array } {
  let sum = 0
  let size = 0
  return {
    push(part) {
      const block = deflateRawSync(part, { finishFlush: constants.Z_SYNC_FLUSH })
      const bytes = size === 0 ? Buffer.concat([head, block]) : block
      sum = crc32(part, sum)
      size += part.length
      return bytes
    },
    end() {
      const tail = Buffer.alloc(8)
      tail.writeUInt32LE(sum, 0)
      tail.writeUInt32LE(size % 2 ** 32, 4)
      return Buffer.concat(size === 0 ? [head, lastBlock, tail] : [lastBlock, tail])
    },
  }
}
