// Pure. Pictures of those who have an interface of their own for them.

import { Buffer } from 'node:buffer'
import { z } from 'zod'
import type { MediaFile } from '#contracts/media.ts'
import { changed, jsonRequest, type MediaAsk, oneOnly, type Style, unsupported } from './media-style.ts'

const artifacts = z.looseObject({ artifacts: z.array(z.looseObject({ base64: z.string().min(1) })).min(1) })
const images = z.looseObject({ images: z.array(z.looseObject({ url: z.string().min(1) })).min(1) })

/** NVIDIA's, one address for each model: https://docs.api.nvidia.com/nim/reference/visual-models-apis */
export const nvidia: Style = {
  write({ fields, files, route }) {
    oneOnly(fields)
    const { prompt, seed, size } = fields
    const pictures = files.filter(({ field }) => field === 'image').map(dataUrl)
    const [width, height] = sides(size)
    return jsonRequest('', changed({ prompt, seed, width, height, ...(pictures.length > 0 && { image: pictures }) }, route))
  },
  read({ json }) {
    const data = artifacts.safeParse(json).data?.artifacts.map(({ base64 }) => ({ b64_json: base64 }))
    return data && { body: { data }, usage: { images: data.length } }
  },
}

/** SiliconFlow's, which gives addresses that last for an hour. */
export const siliconflow: Style = {
  write({ fields, files, route, model }) {
    const { prompt, seed, size, n } = fields
    const [picture] = files.filter(({ field }) => field === 'image')
    const image = picture && dataUrl(picture)
    return jsonRequest('/images/generations', { model, ...changed({ prompt, seed, image_size: size, batch_size: n, image }, route) })
  },
  read({ json }) {
    const data = images.safeParse(json).data?.images.map(({ url }) => ({ url }))
    return data && { body: { data }, usage: { images: data.length } }
  },
}

/** An address that is a picture. */
export const getBytes: Style = {
  write(ask: MediaAsk) {
    if (ask.files.length > 0) throw unsupported('changing pictures')
    oneOnly(ask.fields)
    const [width, height] = sides(ask.fields.size)
    const wanted = changed({ model: ask.model, width, height, seed: ask.fields.seed }, ask.route)
    const query = new URLSearchParams(Object.entries(wanted).map(([name, value]) => [name, String(value)]))
    return { method: 'GET', path: '', query: query.toString(), headers: {}, body: '' }
  },
  read({ type, bytes }) {
    if (!type.startsWith('image/') || bytes.length === 0) return undefined
    return { body: { data: [{ b64_json: Buffer.from(bytes).toString('base64') }] }, usage: { images: 1 } }
  },
}

/** `WIDTHxHEIGHT`; nothing for `auto`. */
function sides(size: unknown): [number | undefined, number | undefined] {
  const [, width, height] = (typeof size === 'string' && /^(\d{2,4})x(\d{2,4})$/.exec(size)) || []
  return [width === undefined ? undefined : Number(width), height === undefined ? undefined : Number(height)]
}

function dataUrl({ type, bytes }: MediaFile): string {
  return `data:${type};base64,${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')}`
}
