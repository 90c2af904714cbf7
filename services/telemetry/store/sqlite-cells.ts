// Roll-ups in SQLite: a row for each group in each minute and hour. Groups have numbers, so that a row is short.

import type { DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'
import type { Histogram } from '../histogram.ts'
import { type Cell, type Group, mergeTallies, type Span, type Tally } from '../tally.ts'

const schema = `
  create table if not exists grp (
    id integer primary key, provider text not null, model text not null, strategy text not null, outcome text not null, client text not null,
    unique (provider, model, strategy, outcome, client));
  create table if not exists cell_minute (
    start integer not null, grp integer not null, calls integer not null, tokens_in integer not null, tokens_out integer not null,
    cost integer not null, us integer not null, latency text not null, ttft text not null, primary key (start, grp)) without rowid;
  create table if not exists cell_hour (
    start integer not null, grp integer not null, calls integer not null, tokens_in integer not null, tokens_out integer not null,
    cost integer not null, us integer not null, latency text not null, ttft text not null, primary key (start, grp)) without rowid;
`

const PAGE = 500
/** Groups whose number is remembered. */
const KNOWN_GROUPS = 10_000

interface Row {
  start: number
  grp: number
  calls: number
  tokens_in: number
  tokens_out: number
  cost: number
  us: number
  latency: string
  ttft: string
}

export function openCellTable(db: DatabaseSync) {
  db.exec(schema)
  const findGroup = db.prepare('select id from grp where provider = ? and model = ? and strategy = ? and outcome = ? and client = ?')
  const makeGroup = db.prepare('insert into grp (provider, model, strategy, outcome, client) values (?, ?, ?, ?, ?) returning id')
  const readGroup = db.prepare('select provider, model, strategy, outcome, client from grp where id = ?')
  const statements = { minute: statementsOf('minute'), hour: statementsOf('hour') }
  const numbers = new Map<string, number>()
  const groups = new Map<number, Group>()

  function statementsOf(span: Span) {
    return {
      get: db.prepare(`select * from cell_${span} where start = ? and grp = ?`),
      put: db.prepare(`insert or replace into cell_${span} values (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
      remove: db.prepare(`delete from cell_${span} where start = ? and grp = ?`),
      page: db.prepare(`select * from cell_${span} where (start, grp) > (?, ?) and start < ? order by start, grp limit ${PAGE}`),
    }
  }

  function numberOf({ provider, model, strategy, outcome, client }: Group): number {
    const words = [provider, model, strategy, outcome, client] as const
    const name = words.join('\0')
    const known = numbers.get(name)
    if (known !== undefined) return known
    const found = findGroup.get(...words) as { id: number } | undefined
    if (!found) return (makeGroup.get(...words) as { id: number }).id
    if (numbers.size >= KNOWN_GROUPS) numbers.clear()
    numbers.set(name, found.id)
    return found.id
  }

  function groupOf(id: number): Group {
    const known = groups.get(id)
    if (known) return known
    const found = { ...(readGroup.get(id) as object) } as Group
    if (groups.size >= KNOWN_GROUPS) groups.clear()
    groups.set(id, found)
    return found
  }

  return {
    /** After a transaction that failed: numbers that were given in it are free again. */
    forget(): void {
      numbers.clear()
      groups.clear()
    },
    /** Adds to what is there; inside the transaction of the caller. */
    add(span: Span, cells: readonly Cell[]): void {
      const { get, put, remove } = statements[span]
      for (const cell of cells) {
        const grp = numberOf(cell)
        const row = get.get(cell.start, grp) as unknown as Row | undefined
        const sum = mergeTallies(row ? tallyOf(row) : none, cell)
        if (sum.calls === 0) remove.run(cell.start, grp)
        else {
          const { calls, in: tokensIn, out, cost, us, latency, ttft } = sum
          put.run(cell.start, grp, calls, tokensIn, out, cost, us, textOf(latency), textOf(ttft))
        }
      }
    },
    async *read(span: Span, from: number, to: number): AsyncGenerator<Cell[]> {
      let after: [number, number] = [from, -1]
      for (;;) {
        const rows = statements[span].page.all(...after, to) as unknown as Row[]
        const last = rows.at(-1)
        if (last) yield rows.map((row) => ({ start: row.start, ...groupOf(row.grp), ...tallyOf(row) }))
        if (!last || rows.length < PAGE) return
        after = [last.start, last.grp]
        await setImmediate()
      }
    },
  }
}

const none: Tally = { calls: 0, in: 0, out: 0, cost: 0, us: 0, latency: [], ttft: [] }

function tallyOf({ calls, tokens_in, tokens_out, cost, us, latency, ttft }: Row): Tally {
  return { calls, in: tokens_in, out: tokens_out, cost, us, latency: readHistogram(latency), ttft: readHistogram(ttft) }
}

/** Without brackets; empty is the empty text. */
function textOf(histogram: Histogram): string {
  return histogram.join(',')
}

function readHistogram(text: string): Histogram {
  return text === '' ? [] : (JSON.parse(`[${text}]`) as Histogram)
}
