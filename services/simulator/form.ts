// A request's body as one flat record, whether it came as JSON or as multipart form.

import { Buffer } from 'node:buffer'
import { FreewayError } from '#contracts/failure.ts'

export interface UploadedFile {
  name: string
  type: string
  bytes: Uint8Array
}

export interface Form {
  /** Repeated fields, and those named `x[]`, are arrays. */
  fields: Record<string, unknown>
  files: Record<string, UploadedFile[]>
}

/** Throws FreewayError 400 if the body is neither. */
export async function readForm(bytes: Uint8Array<ArrayBuffer>, contentType: string): Promise<Form> {
  if (!contentType.startsWith('multipart/form-data')) return { fields: readJsonObject(bytes), files: {} }
  const form: Form = { fields: {}, files: {} }
  const data = await new Response(bytes, { headers: { 'content-type': contentType } }).formData().catch(() => {
    throw new FreewayError('invalid_request_error', 'invalid multipart body')
  })
  for (const [name, value] of data) {
    const field = name.replace(/\[\]$/, '')
    if (typeof value === 'string') {
      form.fields[field] = append(form.fields[field], value, name.endsWith('[]'))
      continue
    }
    const file = { name: value.name, type: value.type, bytes: new Uint8Array(await value.arrayBuffer()) }
    form.files[field] = [...(form.files[field] ?? []), file]
  }
  return form
}

/** What the call log keeps: files by name, type and size. */
export function describeForm({ fields, files }: Form): Record<string, unknown> {
  const described = Object.entries(files).map(([name, list]) => [name, list.map(({ bytes, ...file }) => ({ ...file, size: bytes.length }))])
  return { ...fields, ...Object.fromEntries(described) }
}

export function readJsonObject(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  } catch {
    // The parser's words quote the body.
    throw new FreewayError('invalid_request_error', 'invalid json payload')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FreewayError('invalid_request_error', 'invalid json payload')
  return value as Record<string, unknown>
}

function append(known: unknown, value: string, list: boolean): unknown {
  if (known === undefined) return list ? [value] : value
  return Array.isArray(known) ? [...known, value] : [known, value]
}
