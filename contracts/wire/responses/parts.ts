// The parts of a message, both ways: text, pictures, files and sound. Pure.

import { asFields, asText, EXTENSION, type Fields, invalid, unsupportedInput } from './shape.ts'

/** A string or list of Responses parts as chat parts. Throws FreewayError 400. */
export function readParts(content: unknown, path: string): Fields[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  if (content === null || content === undefined) return []
  if (!Array.isArray(content)) throw unsupportedInput(path, 'expected a string or a list of parts')
  return content.map((part, index) => readPart(asFields(part), `${path}[${index}]`))
}

/** As chat messages carry it: one text is a string, for many providers take nothing else. */
export function contentOf(parts: Fields[]): string | Fields[] {
  const [only, more] = parts
  if (only === undefined) return ''
  return more === undefined && only.type === 'text' && typeof only.text === 'string' ? only.text : parts
}

function readPart(part: Fields | undefined, path: string): Fields {
  switch (part?.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
    case 'summary_text':
    case 'reasoning_text':
      if (typeof part.text !== 'string') throw unsupportedInput(`${path}.text`, 'expected a string')
      return { type: 'text', text: part.text }
    case 'refusal':
      return { type: 'refusal', refusal: asText(part.refusal) ?? '' }
    case 'input_image':
      return readImage(part, path)
    case 'input_file':
      return readFile(part, path)
    case 'input_audio':
      return { type: 'input_audio', input_audio: part.input_audio }
    default:
      throw unsupportedInput(`${path}.type`, 'unknown type of part')
  }
}

const details = new Map([
  ['auto', 'auto'],
  ['low', 'low'],
  ['high', 'high'],
  ['original', 'high'],
])

function readImage(part: Fields, path: string): Fields {
  const url = asText(part.image_url) ?? asText(asFields(part.image_url)?.url)
  // No provider can read an id of a file that it was never given.
  if (url === undefined) throw invalid(`${path}.image_url: expected a URL; files by id are not supported`, `${path}.image_url`)
  const detail = details.get(String(part.detail))
  return {
    type: 'image_url',
    image_url: { url, ...(detail !== undefined && { detail }) },
    ...(part.detail === 'original' && { [EXTENSION]: { detail: 'original' } }),
  }
}

/** `file_data` may be an address as well: those chat providers that fetch files look for it there. */
function readFile(part: Fields, path: string): Fields {
  const data = asText(part.file_data) ?? asText(part.file_url)
  if (data === undefined) throw invalid(`${path}: expected file_data or file_url; files by id are not supported`, path)
  return { type: 'file', file: { ...(typeof part.filename === 'string' && { filename: part.filename }), file_data: data } }
}

/** Chat content as Responses parts. `spoken`: by the assistant. */
export function writeParts(content: unknown, spoken = false): Fields[] {
  const type = spoken ? 'output_text' : 'input_text'
  if (typeof content === 'string') return [{ type, text: content, ...(spoken && { annotations: [] }) }]
  if (!Array.isArray(content)) return []
  return content.flatMap((one) => {
    const part = asFields(one) ?? {}
    const { image_url, file, input_audio } = part
    if (part.type === 'refusal') return [{ type: 'refusal', refusal: part.refusal }]
    if (part.type === 'image_url') {
      const { url, detail } = asFields(image_url) ?? { url: image_url }
      return [{ type: 'input_image', image_url: url, detail: asFields(part[EXTENSION])?.detail ?? detail ?? 'auto' }]
    }
    if (part.type === 'file') {
      const { file_data, ...rest } = asFields(file) ?? {}
      const isAddress = typeof file_data === 'string' && /^https?:/.test(file_data)
      return [{ type: 'input_file', ...rest, [isAddress ? 'file_url' : 'file_data']: file_data }]
    }
    if (part.type === 'input_audio') return [{ type: 'input_audio', input_audio }]
    return typeof part.text === 'string' ? [{ type, text: part.text, ...(spoken && { annotations: [] }) }] : []
  })
}
