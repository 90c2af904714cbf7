// One line of JSON for each thing worth knowing, without secrets; coloured text instead when a person watches.

import process from 'node:process'
import { redactText, redactValue, registerSecret } from './redact.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

export type Fields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
  /** The same with these fields on every line. */
  child(fields: Fields): Logger
  /** From now on this value appears in no line of any logger of the process. */
  secret(value: string): void
}

export interface LoggerOptions {
  service: string
  instance?: string
  /** Lines below it are dropped; FREEWAY_LOG_LEVEL, else `info`. */
  level?: LogLevel
  /** Coloured text; true on a terminal. */
  pretty?: boolean
  /** Receives each line without its line feed; standard output. */
  write?: (line: string) => void
}

/** Logging never throws. */
export function createLogger({ service, instance, level = levelOfEnvironment(), ...options }: LoggerOptions): Logger {
  const write = options.write ?? writeToStandardOutput()
  const format = (options.pretty ?? (!options.write && process.stdout.isTTY)) ? prettyLine : jsonLine
  const threshold = logLevels.indexOf(level)

  function withFields(common: Fields): Logger {
    function at(level: LogLevel): Logger['info'] {
      if (logLevels.indexOf(level) < threshold) return () => {}
      return (message, fields) =>
        write(format({ time: new Date().toISOString(), level, service, msg: redactText(message) }, readable(common, fields)))
    }
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      child: (fields) => withFields({ ...common, ...fields }),
      secret: registerSecret,
    }
  }
  return withFields(instance === undefined ? {} : { instance })
}

interface Line {
  time: string
  level: LogLevel
  service: string
  msg: string
}

const reserved = new Set(['time', 'level', 'service', 'msg'])

function jsonLine(line: Line, fields: Fields): string {
  const all: Record<string, unknown> = Object.assign(Object.create(null), line)
  for (const [name, value] of Object.entries(fields)) all[reserved.has(name) ? `${name}_` : name] = value
  // JSON escapes only the first 32 control characters; a terminal also obeys those from 0x7f to 0x9f.
  return JSON.stringify(all).replace(/[\p{Cc}\u2028\u2029]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const colours: Record<LogLevel, string> = { debug: '90', info: '32', warn: '33', error: '31' }

function prettyLine({ time, level, service, msg }: Line, fields: Fields): string {
  const colour = process.env.NO_COLOR ? (_: string, text: string) => text : (code: string, text: string) => `\x1b[${code}m${text}\x1b[0m`
  const stacks: string[] = []
  const rest = Object.entries(fields).map(([name, value]) => {
    const stack = (value as { stack?: unknown } | null | undefined)?.stack
    if (typeof stack === 'string')
      stacks.push(
        ...stack
          .split('\n')
          .slice(1)
          .map((frame) => `    ${printable(frame.trim())}`),
      )
    const shown = typeof value === 'string' ? value : JSON.stringify(value, (key, item) => (key === 'stack' ? undefined : item))
    return colour('90', ` ${printable(name)}=${printable(shown ?? '')}`)
  })
  const head = `${colour('90', time.slice(11, 23))} ${colour(colours[level], level.padEnd(5))} ${service.padEnd(9)} ${printable(msg)}`
  return [head + rest.join(''), ...stacks].join('\n')
}

/** Neither a forged second line, nor an escape sequence, nor text that runs backwards. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ')
}

function readable(common: Fields, fields: Fields | undefined): Fields {
  try {
    return redactValue({ ...common, ...fields }) as Fields
  } catch (error) {
    // A getter or proxy of somebody else's object threw.
    return { unreadable: error instanceof Error ? error.name : 'unknown' }
  }
}

function levelOfEnvironment(): LogLevel {
  return logLevels.find((level) => level === process.env.FREEWAY_LOG_LEVEL) ?? 'info'
}

let guarded = false

function writeToStandardOutput(): (line: string) => void {
  if (!guarded) {
    guarded = true
    // When the reader of the log goes away, the gateway keeps serving.
    process.stdout.on('error', () => {})
  }
  return (line) => void process.stdout.write(`${line}\n`)
}
