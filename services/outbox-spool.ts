// Events on disk while the log cannot take them: an append-only file for each process, read back and sent once the log is there
// again, by this process or, if it died, by the next one on the same machine. Sending twice is harmless: batches keep their ids.

import { Buffer } from 'node:buffer'
import { mkdir, open, readdir, rename, stat, truncate, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

export interface Batch {
  /** Without spaces. */
  id: string
  /** JSON, so without a line feed. */
  data: Uint8Array
}

export interface Spool {
  /** What waits to be sent, in bytes. */
  readonly bytes: number
  /** Resolves when it is in the file; false if it has no room, or the disk refuses it. */
  write(batch: Batch): Promise<boolean>
  /** Hands out what waits, the oldest first, until `send` says false or `limit` batches were sent. */
  drain(send: (batch: Batch) => Promise<boolean>, limit: number): Promise<void>
}

export interface SpoolOptions {
  /** Made when something is written. */
  dir: string
  role: string
  /** New at every start of the process. */
  instance: string
  /** Of this machine, as the system names it. */
  host?: string
  maxBytes?: number
}

const MAX_BYTES = 64 * 1024 * 1024
const SUFFIX = '.spool'
/** Longer than any batch. */
const READ_BYTES = 1024 * 1024
const LF = 0x0a
const SPACE = 0x20

interface File {
  path: string
  size: number
  /** Sent up to here. */
  offset: number
}

/** Takes over what processes of this machine left behind that are no more. */
export async function openSpool({ dir, role, instance, host = hostname(), maxBytes = MAX_BYTES }: SpoolOptions): Promise<Spool> {
  // Without dots, for they stand between the parts of a name.
  const machine = encodeURIComponent(host).replaceAll('.', '%2E')
  const nameOf = (name: string) => join(dir, `${role}.${machine}.${process.pid}.${name}${SUFFIX}`)
  const own: File = { path: nameOf(instance), size: 0, offset: 0 }
  const files = [...(await inherited()), own]
  let draining = false
  /** One write after the other, so that lines stay whole. */
  let last: Promise<unknown> = Promise.resolve()

  async function inherited(): Promise<File[]> {
    const found: File[] = []
    // Where nothing was ever written there is no folder.
    for (const name of await readdir(dir).catch(() => [])) {
      if (!isOrphan(name, role, machine)) continue
      const path = nameOf(`${instance}-${found.length}`)
      // Whoever renames it first has it.
      const taken = await rename(join(dir, name), path).then(
        () => true,
        () => false,
      )
      if (taken) found.push({ path, size: (await stat(path)).size, offset: 0 })
    }
    return found
  }

  async function append({ id, data }: Batch): Promise<boolean> {
    const line = Buffer.concat([Buffer.from(`${id} `), data, Buffer.from('\n')])
    if (files.reduce((sum, { size }) => sum + size, 0) + line.length > maxBytes) return false
    try {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      await using file = await open(own.path, 'a', 0o600)
      await file.appendFile(line)
      own.size += line.length
      return true
    } catch {
      // A full disk may have taken a part of it: the next line must not begin in the midst of it.
      await truncate(own.path, own.size).catch(() => {})
      return false
    }
  }

  return {
    get bytes() {
      return files.reduce((sum, { size, offset }) => sum + size - offset, 0)
    },
    write(batch) {
      const written = last.then(() => append(batch))
      last = written
      return written
    },
    async drain(send, limit) {
      if (draining) return
      draining = true
      try {
        let left = limit
        for (const file of [...files]) {
          while (left > 0 && file.offset < file.size) {
            const lines = await read(file).catch((error: unknown) => {
              process.emitWarning(
                `outbox: ${file.size - file.offset} bytes of ${file.path} cannot be read and are given up: ${String(error)}`,
              )
              return [{ batch: undefined, bytes: file.size - file.offset }]
            })
            for (const { batch, bytes } of lines) {
              if (left-- <= 0 || (batch && !(await send(batch)))) return
              file.offset += bytes
            }
          }
          if (file.offset >= file.size && file.size > 0) await remove(file)
        }
      } finally {
        draining = false
      }
    },
  }

  /** When nothing is being written to it. */
  function remove(file: File): Promise<unknown> {
    last = last.then(async () => {
      if (file.offset < file.size) return
      try {
        await unlink(file.path)
      } catch {
        return // it stays, and what comes next stands behind what was sent
      }
      file.size = 0
      file.offset = 0
      if (file !== own) files.splice(files.indexOf(file), 1)
    })
    return last
  }
}

/** The next lines with their lengths. A line that is torn, as a process leaves it that dies while writing, has no batch. */
async function read({ path, offset, size }: File): Promise<{ batch: Batch | undefined; bytes: number }[]> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(READ_BYTES, size - offset)), 0, undefined, offset)
  const bytes = buffer.subarray(0, bytesRead)
  const lines: { batch: Batch | undefined; bytes: number }[] = []
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(LF, start)
    if (end < 0) {
      if (lines.length === 0) lines.push({ batch: undefined, bytes: size - offset })
      break
    }
    lines.push({ batch: batchOf(bytes.subarray(start, end)), bytes: end + 1 - start })
    start = end + 1
  }
  // The file is shorter than it was: nothing more is in it.
  return lines.length > 0 ? lines : [{ batch: undefined, bytes: size - offset }]
}

function batchOf(line: Buffer): Batch | undefined {
  const space = line.indexOf(SPACE)
  if (space <= 0 || line.at(-1) !== 0x7d) return undefined
  return { id: line.toString('utf8', 0, space), data: new Uint8Array(line.subarray(space + 1)) }
}

/** Of our role and machine, written by a process that is no more; our own number was somebody else's before. */
function isOrphan(name: string, role: string, machine: string): boolean {
  const [ofRole, ofMachine, pid] = name.split('.')
  if (!name.endsWith(SUFFIX) || ofRole !== role || ofMachine !== machine) return false
  return Number(pid) === process.pid || !isRunning(Number(pid))
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
