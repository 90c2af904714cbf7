// Pure. A small valid PNG: stripes in two colours that depend on the prompt. One bit a pixel keeps even large sizes tiny.

import { Buffer } from 'node:buffer'
import { crc32, deflateSync } from 'node:zlib'

/** `size` is `WIDTHxHEIGHT`; anything else, `auto` included, is 256x256. At most 2048 pixels a side. */
export function makePicture(prompt: string, size: string | null | undefined): Buffer {
  const [, w, h] = /^(\d{1,4})x(\d{1,4})$/.exec(size ?? '') ?? []
  const width = Math.min(2048, Number(w) || 256)
  const height = Math.min(2048, Number(h) || 256)
  const colour = crc32(prompt)
  const palette = Buffer.from([colour & 255, (colour >> 8) & 255, (colour >> 16) & 255, 255, 255, 255])
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  // Bit depth 1, colour type 3: indices into the palette.
  head.set([1, 3, 0, 0, 0], 8)
  const row = Buffer.alloc(1 + Math.ceil(width / 8))
  const stripe = Buffer.concat([row.subarray(0, 1), row.subarray(1).map(() => 0xff)])
  const rows = Buffer.concat(Array.from({ length: height }, (_, y) => (Math.floor(y / 16) % 4 === 3 ? stripe : row)))
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    chunk('PLTE', palette),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  body.copy(whole, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}
