// Pure. How events are spelled on the wire: line ends, comments, blanks, and where socket writes begin.

import { Buffer } from 'node:buffer'
import type { Frame } from './deform.ts'
import type { Fault } from './fault.ts'

const spelling = ['omit', 'newline', 'bom', 'comment', 'blank', 'multiline'] as const satisfies (keyof Fault)[]

export function isMisspelt(fault: Fault): boolean {
  return spelling.some((word) => fault[word] !== undefined)
}

export function spellFrames(frames: Frame[], fault: Fault): string[] {
  return frames.map((frame, i) => {
    const end = lineEnd(fault.newline, i)
    const lines: string[] = []
    if (fault.comment !== undefined) lines.push(`: ${fault.comment}`, '')
    if (frame.event) lines.push(`event: ${frame.event}`)
    const text = typeof frame.data === 'string' ? frame.data : JSON.stringify(frame.data, null, fault.multiline ? 1 : undefined)
    for (const line of text.split('\n')) lines.push(`data:${fault.blank === false ? '' : ' '}${line}`)
    const isLast = i === frames.length - 1
    const blank = isLast && fault.omit?.includes('blank') ? '' : end + end
    return (i === 0 && fault.bom ? '\uFEFF' : '') + lines.join(end) + blank
  })
}

/** Mixed ends change from event to event: inside one event a CR before an LF would read as one line end. */
function lineEnd(newline: Fault['newline'], event: number): string {
  const ends = { crlf: '\r\n', cr: '\r', mixed: ['\n', '\r\n', '\r'][event % 3] ?? '\n' }
  return newline ? ends[newline] : '\n'
}

/** Socket writes for the bytes of events: several events at once, `split` bytes each, or cut at given offsets. */
export function createRegrouper({ burst = 1, split, splitAt }: Fault): { push(bytes: Uint8Array): Uint8Array[]; flush(): Uint8Array[] } {
  let held: Uint8Array[] = []
  let offset = 0
  const cuts = [...(splitAt ?? [])].sort((a, b) => a - b)
  const release = () => {
    const bytes = Buffer.concat(held)
    held = []
    return bytes
  }
  return {
    push(bytes) {
      held.push(bytes)
      if (!split && cuts.length === 0) return held.length >= burst ? [release()] : []
      const whole = release()
      const writes: Uint8Array[] = []
      let start = 0
      for (;;) {
        const next = split ? start + split : (cuts[0] ?? Number.POSITIVE_INFINITY) - offset
        if (next > whole.length) break
        if (!split) cuts.shift()
        if (next > start) writes.push(whole.subarray(start, next))
        start = next
      }
      offset += start
      held = [whole.subarray(start)]
      return writes
    },
    flush() {
      const rest = release()
      return rest.length > 0 ? [rest] : []
    },
  }
}
