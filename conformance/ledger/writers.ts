/**
 * The people who write: through REST as themselves, through SQL, in batches and in transactions over several tables, and one who decides who
 * belongs where. Each writes one thing after the other and notes down what was asked and what was answered; a row whose fate is not known is
 * never touched again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Write, WrittenRow } from './ledger.ts'
import type { Random } from './random.ts'
import { SqlConnection } from './sql-connection.ts'
import { tokenFor } from './tokens.ts'

export interface WriterOptions {
  readonly name: string
  readonly random: Random
  /** Ids for rows, never given twice. */
  readonly nextId: () => number
  readonly users: readonly [string, ...string[]]
  readonly rooms: readonly [number, ...number[]]
  readonly scores: readonly [number, ...number[]]
  readonly restUrl: () => string
  readonly serviceKey: string
  readonly anonKey: string
  readonly jwtSecret: string
  readonly databaseUrl: () => string
}

type Outcome = Write['outcome']

/** A row that a writer made and may change again. */
export interface OwnRow {
  readonly table: 'note' | 'post'
  readonly id: number
  version: number
  readonly owner: string | null
  readonly room: number | null
}

const ANSWER_WITHIN_MS = 5_000
const DISCOURAGED_MS = 100
/** Rows that one writer keeps at most, so that updates and deletes hit young and old ones. */
const MAX_OWN_ROWS = 60

/** What all writers share: the ledger, the rows of their own, the pace. */
export abstract class Writer {
  readonly writes: Write[] = []
  protected readonly options: WriterOptions
  protected readonly own: OwnRow[] = []
  readonly #end = new AbortController()
  #loop: Promise<void> | null = null

  constructor(options: WriterOptions) {
    this.options = options
  }

  get acknowledged(): number {
    return this.writes.filter(({ outcome }) => outcome === 'acknowledged').length
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#end.abort()
    await this.#loop
    await this.close()
  }

  /** Does one thing. */
  protected abstract step(): Promise<void>

  /** Milliseconds between two things. */
  protected abstract pace(): number

  protected close(): Promise<void> {
    return Promise.resolve()
  }

  /** Notes down what `perform` does to `rows`. It is given the number that inserted and updated rows carry. */
  protected async write(rows: readonly WrittenRow[], perform: (n: number) => Promise<Outcome>): Promise<Outcome> {
    const { name } = this.options
    const write: Write = {
      writer: name,
      n: this.writes.length,
      started: performance.now(),
      answered: null,
      outcome: 'unknown',
      rows,
    }
    this.writes.push(write)
    write.outcome = await perform(write.n)
    if (write.outcome === 'acknowledged') write.answered = performance.now()
    return write.outcome
  }

  protected newRow(): OwnRow {
    const { random, nextId, users, rooms } = this.options
    const isNote = random.chance(0.4)
    return {
      table: isNote ? 'note' : 'post',
      id: nextId(),
      version: 1,
      owner: isNote ? random.pick(users) : null,
      room: isNote ? null : random.pick(rooms),
    }
  }

  /** Takes a row of its own out; whoever changed it successfully puts it back with `keep`. */
  protected takeRow(): OwnRow | null {
    const { own, options } = this
    const [row] = own.length === 0 ? [] : own.splice(options.random.between(0, own.length - 1), 1)
    return row ?? null
  }

  protected keep(row: OwnRow): void {
    if (this.own.length < MAX_OWN_ROWS) this.own.push(row)
  }

  protected body(): string {
    return 'tea'.repeat(this.options.random.between(0, 60))
  }

  /** Asks REST, as a user or with the service key. */
  protected async ask(method: string, path: string, owner: string | null, body: unknown): Promise<Outcome> {
    const { restUrl, serviceKey, anonKey, jwtSecret } = this.options
    const bearer = owner === null ? serviceKey : tokenFor(jwtSecret, owner, 3_600).token
    try {
      const response = await fetch(restUrl() + path, {
        method,
        headers: {
          apikey: owner === null ? serviceKey : anonKey,
          authorization: `Bearer ${bearer}`,
          'content-type': 'application/json',
        },
        ...(body !== null && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      })
      await response.arrayBuffer()
      return response.ok ? 'acknowledged' : 'refused'
    } catch {
      return 'unknown'
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      await this.step()
      // Nobody hammers at a door that is closed.
      const rest = this.writes.at(-1)?.outcome === 'acknowledged' ? 0 : DISCOURAGED_MS
      await delay(this.pace() + rest, undefined, { signal }).catch(() => {})
    }
  }
}

/** Writes through REST: notes as their owners, under row-level security; posts with the service key. */
export class RestWriter extends Writer {
  protected async step(): Promise<void> {
    const { random } = this.options
    const known = random.chance(0.5) ? this.takeRow() : null
    if (known === null) await this.#insert([this.newRow()])
    else if (random.chance(0.7)) await this.#update(known)
    else await this.#delete(known)
  }

  protected pace(): number {
    return this.options.random.between(10, 50)
  }

  async #insert(rows: readonly OwnRow[]): Promise<void> {
    const [first] = rows
    if (first === undefined) return
    const { name } = this.options
    const written = rows.map(({ table, id }) => ({ table, id, op: 'INSERT' as const }))
    const outcome = await this.write(written, (n) => {
      const body = rows.map(({ id, owner, room }) => ({
        id,
        writer: name,
        n,
        body: this.body(),
        ...(owner !== null && { owner }),
        ...(room !== null && { room }),
      }))
      return this.ask('POST', `/rest/v1/${first.table}`, first.owner, body)
    })
    if (outcome === 'acknowledged') for (const row of rows) this.keep(row)
  }

  async #update(row: OwnRow): Promise<void> {
    const { name } = this.options
    const written = [{ table: row.table, id: row.id, op: 'UPDATE' as const }]
    const outcome = await this.write(written, (n) =>
      this.ask('PATCH', `/rest/v1/${row.table}?id=eq.${row.id}`, row.owner, {
        version: row.version + 1,
        writer: name,
        n,
        body: this.body(),
      }),
    )
    if (outcome !== 'acknowledged') return
    row.version++
    this.keep(row)
  }

  async #delete(row: OwnRow): Promise<void> {
    await this.write([{ table: row.table, id: row.id, op: 'DELETE' }], () =>
      this.ask('DELETE', `/rest/v1/${row.table}?id=eq.${row.id}`, row.owner, null),
    )
  }
}

type Sql = readonly [string, ...unknown[]]

/** Writes through SQL: single rows, rows that others write too, and transactions over several tables. */
export class SqlWriter extends Writer {
  readonly #connection: SqlConnection

  constructor(options: WriterOptions) {
    super(options)
    this.#connection = new SqlConnection(options.databaseUrl)
  }

  protected async step(): Promise<void> {
    const { random } = this.options
    const parts = random.chance(0.25) ? random.between(2, 6) : 1
    const taken: OwnRow[] = []
    const made: OwnRow[] = []
    const plans: { readonly row: WrittenRow; readonly sql: (n: number) => Sql }[] = []
    for (let part = 0; part < parts; part++) plans.push(this.#plan(taken, made))
    // One transaction changes a contended row once: each version then belongs to one write.
    const distinct = plans.filter(
      ({ row }, at) => plans.findIndex((each) => each.row.table === row.table && each.row.id === row.id) === at,
    )
    const outcome = await this.write(
      distinct.map(({ row }) => row),
      (n) => this.#connection.transact(distinct.map(({ sql }) => sql(n))),
    )
    if (outcome !== 'acknowledged') return
    for (const row of taken) row.version++
    for (const row of [...taken, ...made]) this.keep(row)
  }

  protected pace(): number {
    return this.options.random.between(10, 60)
  }

  protected override close(): Promise<void> {
    return this.#connection.close()
  }

  #plan(taken: OwnRow[], made: OwnRow[]): { row: WrittenRow; sql: (n: number) => Sql } {
    const { random, name, scores } = this.options
    if (random.chance(0.25)) {
      const id = random.pick(scores)
      return {
        row: { table: 'score', id, op: 'UPDATE' },
        sql: (n) => ['update public.score set version = version + 1, writer = $2, n = $3 where id = $1', id, name, n],
      }
    }
    const known = random.chance(0.5) ? this.takeRow() : null
    if (known === null) {
      const fresh = this.newRow()
      made.push(fresh)
      return {
        row: { table: fresh.table, id: fresh.id, op: 'INSERT' },
        sql: (n) => insertRow(fresh, name, n, this.body()),
      }
    }
    const { table, id, version } = known
    if (random.chance(0.3))
      return { row: { table, id, op: 'DELETE' }, sql: () => [`delete from public.${table} where id = $1`, id] }
    taken.push(known)
    const text = `update public.${table} set version = $2, writer = $3, n = $4, body = $5 where id = $1`
    return { row: { table, id, op: 'UPDATE' }, sql: (n) => [text, id, version + 1, name, n, this.body()] }
  }
}

const insertRow = ({ table, id, owner, room }: OwnRow, writer: string, n: number, body: string): Sql =>
  table === 'note'
    ? ['insert into public.note (id, owner, writer, n, body) values ($1, $2, $3, $4, $5)', id, owner, writer, n, body]
    : ['insert into public.post (id, room, writer, n, body) values ($1, $2, $3, $4, $5)', id, room, writer, n, body]
