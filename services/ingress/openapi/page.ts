// The page that shows the description. It is whole in itself and loads nothing but the document: it works without a network,
// and its policy lets nothing else run.

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'

export interface Page {
  html: string
  headers: Record<string, string>
}

let made: Promise<Page> | undefined

/** Read once. Rejects if a part of it is missing. */
export function referencePage(): Promise<Page> {
  made ??= make()
  return made
}

async function make(): Promise<Page> {
  const [frame, style, script] = await Promise.all(['page.html', 'page.css', 'page.js'].map(read))
  return {
    // Replaced by functions: a text would have its dollar signs interpreted.
    html: (frame as string).replace('/* style */', () => style as string).replace('/* script */', () => script as string),
    headers: {
      'content-security-policy': [
        "default-src 'none'",
        `style-src '${digest(style as string)}'`,
        `script-src '${digest(script as string)}'`,
        "connect-src 'self'",
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    },
  }
}

function read(name: string): Promise<string> {
  return readFile(new URL(`./page/${name}`, import.meta.url), 'utf8')
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
