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

/** Of the columns as they stand in the table: a week has ten thousand rows, and an object for each would take as long as reading it. */
type Row = [
  start: number,
  grp: number,
  calls: number,
  tokensIn: number,
  tokensOut: number,
  cost: number,
  us: number,
  latency: string,
  ttft: string,
]

export function openCellTable(db: DatabaseSync) {
  db.exec(schema)
  const findGroup = db.prepare('select id from grp where provider = ? and model = ? and strategy = ? and outcome = ? and client = ?')
  const makeGroup = db.prepare('insert into grp (provider, model, strategy, outcome, client) values (?, ?, ?, ?, ?) returning id')
  const readGroup = db.prepare('select provider, model, strategy, outcome, client from grp where id = ?')
  const statements = { minute: statementsOf('minute'), hour: statementsOf('hour') }
  const numbers = new Map<string, number>()
  const groups = new Map<number, Group>()

  function statementsOf(span: Span) {
    const get = db.prepare(`select * from cell_${span} where start = ? and grp = ?`)
    const page = db.prepare(`select * from cell_${span} where (start, grp) > (?, ?) and start < ? order by start, grp limit ${PAGE}`)
    for (const statement of [get, page]) statement.setReturnArrays(true)
    return {
      get,
      page,
      put: db.prepare(`insert or replace into cell_${span} values (?, ?, ?, ?, ?, ?, ?, ?, ?)`),
      remove: db.prepare(`delete from cell_${span} where start = ? and grp = ?`),
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

  function cellOf([start, grp, calls, tokensIn, out, cost, us, latency, ttft]: Row): Cell {
    const { provider, model, strategy, outcome, client } = groupOf(grp)
    const times = { latency: readHistogram(latency), ttft: readHistogram(ttft) }
    return { start, provider, model, strategy, outcome, client, calls, in: tokensIn, out, cost, us, ...times }
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
        const sum = mergeTallies(row ? cellOf(row) : none, cell)
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
        if (last) yield rows.map(cellOf)
        if (!last || rows.length < PAGE) return
        after = [last[0], last[1]]
        await setImmediate()
      }
    },
  }
}

const none: Tally = { calls: 0, in: 0, out: 0, cost: 0, us: 0, latency: [], ttft: [] }

/** Without brackets; empty is the empty text. */
function textOf(histogram: Histogram): string {
  return histogram.join(',')
}

/** By hand: a third of what JSON takes, and most of what a question about a week is. */
function readHistogram(text: string): Histogram {
  const histogram: Histogram = []
  let number = 0
  let sign = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= ZERO) number = number * 10 + code - ZERO
    else if (code === MINUS) sign = -1
    else {
      histogram.push(sign * number)
      number = 0
      sign = 1
    }
  }
  if (text !== '') histogram.push(sign * number)
  return histogram
}

const ZERO = 0x30
const MINUS = 0x2d
