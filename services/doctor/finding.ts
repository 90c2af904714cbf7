// Pure. What the doctor has found, and how it is told: one line each, and under a fault what mends it.

export interface Finding {
  /** What was looked at, in a word: `node`, `data`, `config`, `port`, `broker`, `store`, `network`, a provider. */
  about: string
  level: 'ok' | 'warn' | 'fault'
  says: string
  /** What to do. Every fault has one. */
  fix?: string | undefined
}

export const ok = (about: string, says: string): Finding => ({ about, level: 'ok', says })
export const warn = (about: string, says: string, fix?: string): Finding => ({ about, level: 'warn', says, fix })
export const fault = (about: string, says: string, fix: string): Finding => ({ about, level: 'fault', says, fix })

const WIDTH = 12

export function lineOf({ about, level, says, fix }: Finding): string {
  const line = `${level.padEnd(6)} ${about.padEnd(WIDTH)} ${oneLine(says)}`
  return fix === undefined ? line : `${line}\n${' '.repeat(7 + WIDTH + 1)}→ ${oneLine(fix)}`
}

/** `2 faults, 1 warning`. */
export function summaryOf(findings: readonly Finding[]): string {
  const count = (level: Finding['level'], word: string) => {
    const found = findings.filter((finding) => finding.level === level).length
    return `${found === 0 ? 'no' : found} ${word}${found === 1 ? '' : 's'}`
  }
  return `${count('fault', 'fault')}, ${count('warn', 'warning')}`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim()
}
