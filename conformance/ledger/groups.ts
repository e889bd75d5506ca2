/** Writers of many rows at once, the one who decides who belongs to which room, and the one who marks where a run stands. */
import type { WrittenRow } from './ledger.ts'
import { SqlConnection } from './sql-connection.ts'
import { Writer, type WriterOptions } from './writers.ts'

/** Inserts many rows by one request or one statement. */
export class BatchWriter extends Writer {
  readonly #connection: SqlConnection

  constructor(options: WriterOptions) {
    super(options)
    this.#connection = new SqlConnection(options.databaseUrl)
  }

  protected async step(): Promise<void> {
    const { random, nextId } = this.options
    const ids = Array.from({ length: random.between(5, 30) }, nextId)
    const room = random.pick(this.options.rooms)
    const rows = ids.map((id): WrittenRow => ({ table: 'post', id, op: 'INSERT' }))
    await this.write(rows, (n) => (random.chance(0.5) ? this.#byRest(ids, room, n) : this.#bySql(ids, room, n)))
  }

  protected pace(): number {
    return this.options.random.between(200, 600)
  }

  protected override close(): Promise<void> {
    return this.#connection.close()
  }

  #bySql(ids: readonly number[], room: number, n: number): ReturnType<SqlConnection['transact']> {
    const text = `insert into public.post (id, room, writer, n, body)
                  select id, $2, $3, $4, $5 from unnest($1::bigint[]) as id`
    return this.#connection.transact([[text, ids, room, this.options.name, n, this.body()]])
  }

  #byRest(ids: readonly number[], room: number, n: number): ReturnType<SqlConnection['transact']> {
    const { name } = this.options
    const body = ids.map((id) => ({ id, room, writer: name, n, body: this.body() }))
    return this.ask('POST', '/rest/v1/post', null, body)
  }
}

/** Lets people into rooms and out of them again. */
export class Steward extends Writer {
  readonly #connection: SqlConnection
  /** Who is in: the id of the membership by person and room. Null: nobody knows, hands off. */
  readonly #inside = new Map<string, number | null>()

  constructor(options: WriterOptions) {
    super(options)
    this.#connection = new SqlConnection(options.databaseUrl)
  }

  /** Before anybody else begins, some are in. */
  async prepare(): Promise<void> {
    const { users, rooms, random } = this.options
    for (const user of users) for (const room of rooms) if (random.chance(0.6)) await this.#toggle(user, room)
  }

  protected async step(): Promise<void> {
    const { random, users, rooms } = this.options
    await this.#toggle(random.pick(users), random.pick(rooms))
  }

  protected pace(): number {
    return this.options.random.between(60, 300)
  }

  protected override close(): Promise<void> {
    return this.#connection.close()
  }

  async #toggle(owner: string, room: number): Promise<void> {
    const key = `${owner} ${room}`
    const inside = this.#inside.get(key)
    if (inside === null) return
    const { name } = this.options
    this.#inside.set(key, null)
    if (inside === undefined) {
      const id = this.options.nextId()
      const text = 'insert into public.member (id, owner, room, writer, n, body) values ($1, $2, $3, $4, $5, $6)'
      const outcome = await this.write([{ table: 'member', id, op: 'INSERT' }], (n) =>
        this.#connection.transact([[text, id, owner, room, name, n, '']]),
      )
      if (outcome === 'acknowledged') this.#inside.set(key, id)
      return
    }
    const outcome = await this.write([{ table: 'member', id: inside, op: 'DELETE' }], () =>
      this.#connection.transact([['delete from public.member where id = $1', inside]]),
    )
    if (outcome === 'acknowledged') this.#inside.delete(key)
  }
}

/** Writes what the run itself needs; never by itself. */
export class Herald extends Writer {
  readonly #connection: SqlConnection
  /** The newest fence, 0 before the first, and when it was made. */
  newest = { id: 0, at: 0 }

  constructor(options: WriterOptions) {
    super(options)
    this.#connection = new SqlConnection(options.databaseUrl)
  }

  /** The rows that several writers change. */
  async prepare(): Promise<void> {
    const { scores, name } = this.options
    for (const id of scores)
      await this.write([{ table: 'score', id, op: 'INSERT' }], (n) =>
        this.#connection.transact([
          ['insert into public.score (id, writer, n, body) values ($1, $2, $3, $4)', id, name, n, ''],
        ]),
      )
  }

  /** One row that everybody sees. */
  async fence(): Promise<void> {
    const { nextId, name } = this.options
    const id = nextId()
    const outcome = await this.write([{ table: 'fence', id, op: 'INSERT' }], (n) =>
      this.#connection.transact([
        ['insert into public.fence (id, writer, n, body) values ($1, $2, $3, $4)', id, name, n, ''],
      ]),
    )
    if (outcome === 'acknowledged') this.newest = { id, at: performance.now() }
  }

  /** Large rows that everybody sees, each in a transaction of its own. */
  async bulk(count: number, bytes: number): Promise<void> {
    const { nextId, name } = this.options
    const text = 'insert into public.bulk (id, writer, n, body) values ($1, $2, $3, $4)'
    for (let made = 0; made < count; made++) {
      const id = nextId()
      await this.write([{ table: 'bulk', id, op: 'INSERT' }], (n) =>
        this.#connection.transact([[text, id, name, n, 'x'.repeat(bytes)]]),
      )
    }
  }

  protected step(): Promise<void> {
    return Promise.resolve()
  }

  protected pace(): number {
    return 0
  }

  protected override close(): Promise<void> {
    return this.#connection.close()
  }
}
