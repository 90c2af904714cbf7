// The head of a WAV file: uncompressed sound as it comes, 16 bit, one channel. Pure.
// Source: RIFF WAVE, `fmt ` chunk of format 1 (PCM).

const HEAD_BYTES = 44
const BYTES_PER_SAMPLE = 2

/** `dataBytes`: of the samples that follow. */
export function writeWavHead(dataBytes: number, samplesPerSecond: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES)
  const view = new DataView(head.buffer)
  const text = (at: number, word: string) => head.set(new TextEncoder().encode(word), at)
  text(0, 'RIFF')
  view.setUint32(4, HEAD_BYTES - 8 + dataBytes, true)
  text(8, 'WAVEfmt ')
  view.setUint32(16, 16, true)
  view.setUint16(20, 1, true)
  view.setUint16(22, 1, true)
  view.setUint32(24, samplesPerSecond, true)
  view.setUint32(28, samplesPerSecond * BYTES_PER_SAMPLE, true)
  view.setUint16(32, BYTES_PER_SAMPLE, true)
  view.setUint16(34, 8 * BYTES_PER_SAMPLE, true)
  text(36, 'data')
  view.setUint32(40, dataBytes, true)
  return head
}
