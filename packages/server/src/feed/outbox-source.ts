/**
 * The outbox as a source of changes, for a database whose log this login may not read. One server takes the rows of all transactions that have
 * ended, tells them and removes them, in one transaction of its own. Looks often while something happens, seldom while nothing does: a notice
 * from the triggers would make every writer wait for all others.
 */
import pg from 'pg'
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Statement } from '../sql/sql.ts'
import type { Lsn, Watermark } from './lsn.ts'
import * as statements from './outbox.sql.ts'
import { afterTaken, changeOf, outboxWatermark, type Shape, shapeOf } from './outbox-rows.ts'
import { type ChangeSource, lockKeyOf, type SourceLag, SourceLoop, type SourceSink } from './source.ts'
import { slotName } from './wal-source.ts'

export interface OutboxSourceOptions {
  readonly connection: pg.ClientConfig
  readonly pool: Pool
  readonly name: string
  readonly clock: Clock
  readonly standbyMs: number
}

const FIRST_PAUSE_MS = 10
const LAST_PAUSE_MS = 250
const TOUCH_EVERY_MS = 3_000
const SETTLE_EVERY_MS = 50
/** How long statements that began before the triggers were there may take. */
const SETTLE_MS = 60_000

/** Rows that are taken at once. */
const PAGE = 500

export class OutboxSource implements ChangeSource {
  readonly kind = 'outbox'
  readonly #options: OutboxSourceOptions
  readonly #sink: SourceSink
  readonly #loop: SourceLoop
  readonly #shapes = new Map<number, Shape>()
  #last: Watermark = ''
  /** Number of the newest taking, and of the newest that has committed. */
  #position = 0n
  #committed = 0n
  #seen = false
  #client: pg.Client | null = null
  #leading = false
  #lockName: string | null = null
  /** Rows that listeners had, but whose removal may not have happened. */
  readonly #handed = new Set<string>()
  #wake: () => void = () => {}
  #failure: Error | null = null
  #touchedAt = 0

  constructor(options: OutboxSourceOptions, sink: SourceSink) {
    this.#options = options
    this.#sink = sink
    this.#loop = new SourceLoop({ ...options, sink, session: () => this.#session() })
  }

  get last(): Watermark {
    return this.#last
  }

  get reached(): Lsn | null {
    return this.#leading ? this.#committed + 1n : null
  }

  get lockKey(): bigint | null {
    return this.#lockName === null ? null : lockKeyOf(this.#lockName)
  }

  start(): void {
    this.#loop.start()
  }

  async stop(): Promise<void> {
    await this.#loop.stop(async () => this.#wake())
  }

  nudge(): void {
    this.#loop.nudge()
  }

  fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  async lag(): Promise<SourceLag> {
    const row = await this.#options.pool.maybeOne<statements.SizeRow>(statements.outboxSize())
    const retained = row === null ? null : Number(row.bytes)
    return { bytes: row?.waiting === false ? 0 : retained, retained }
  }

  async #session(): Promise<void> {
    const { connection, name } = this.#options
    const client = new pg.Client({
      ...connection,
      application_name: `teahouse-feed-${name}`,
      keepAlive: true,
      connectionTimeoutMillis: 10_000,
    })
    this.#failure = null
    client.on('error', (error) => this.fail(error))
    client.on('end', () => this.fail(new Error('the connection of the outbox ended')))
    try {
      await client.connect()
      this.#client = client
      const [server] = await this.#rows<{ oid: string }>(statements.databaseOid())
      // The same lock as that of the log's reader: there is one leader, whatever it reads.
      this.#lockName = slotName(name, server?.oid ?? '')
      const [lock] = await this.#rows<{ leading: boolean }>(statements.tryLead(lockKeyOf(this.#lockName)))
      if (lock?.leading === true && !this.#loop.stopping) await this.#lead()
    } finally {
      if (this.#leading) this.#sink.resigned?.()
      this.#leading = false
      this.#client = null
      await client.end().catch(() => {})
    }
  }

  async #lead(): Promise<void> {
    const [state] = await this.#rows<statements.StateRow>(statements.readState())
    if (state?.whole === true) {
      const position = BigInt(state.position)
      if (position > this.#position) this.#position = position
      this.#committed = position
      await this.#rows(statements.syncTriggers())
    } else await this.#begin()
    const base = await this.#sink.lead?.(this.#committed + 1n)
    if (base !== undefined) this.#last = base
    this.#seen = true
    this.#leading = true
    this.#touchedAt = this.#options.clock.now()
    this.#sink.state('streaming')
    await this.#follow()
  }

  /** Starts to record. What was written until every table has its triggers, and every older statement has ended, is nobody's. */
  async #begin(): Promise<void> {
    const { clock } = this.#options
    await this.#sink.renewing?.()
    await this.#dropSlot()
    const [opened] = await this.#rows<{ position: string; xid: string }>(statements.open())
    if (opened === undefined) throw new AppError('internal', 'The outbox has no state.')
    await this.#rows(statements.syncTriggers())
    const deadline = clock.now() + SETTLE_MS
    for (;;) {
      const [row] = await this.#rows<{ settled: boolean }>(statements.hasSettled(opened.xid))
      if (row?.settled === true || clock.now() > deadline) break
      if (this.#loop.stopping) throw new AppError('unavailable', 'The server stops.')
      await this.#sleep(SETTLE_EVERY_MS)
    }
    await this.#rows(statements.removeAll())
    this.#position = BigInt(opened.position)
    this.#committed = this.#position
    this.#handed.clear()
    this.#last = afterTaken(this.#position)
    await this.#sink.epoch(this.#last, this.#seen ? 'lost' : 'created')
  }

  /** A slot of the time when the log could be read would keep the log for ever. */
  async #dropSlot(): Promise<void> {
    try {
      if (this.#lockName !== null) await this.#rows(statements.dropIdleSlot(this.#lockName))
    } catch {
      // Whoever may not read the log may often not drop its slot either; `doctor` names it.
    }
  }

  /** Takes rows until the connection fails or the server stops. */
  async #follow(): Promise<void> {
    let pause = FIRST_PAUSE_MS
    while (!this.#loop.stopping) {
      if (this.#failure !== null) throw this.#failure
      const found = await this.#take()
      pause = found ? FIRST_PAUSE_MS : Math.min(pause * 2, LAST_PAUSE_MS)
      if (!found && this.#options.clock.now() - this.#touchedAt > TOUCH_EVERY_MS) {
        this.#touchedAt = this.#options.clock.now()
        const { rowCount } = await this.#query(statements.touch())
        if (rowCount === 0) throw new AppError('conflict', 'The outbox was closed.')
      }
      await this.#sleep(pause)
    }
  }

  async #take(): Promise<boolean> {
    const first = await this.#rows<statements.OutboxRow>(statements.firstRows(PAGE))
    if (first.length === 0) return false
    if (first.length < PAGE) await this.#handOn(first)
    else await this.#takeMany()
    return true
  }

  /** Page by page: as many rows as a transaction wrote need not be in memory at once, nor keep others waiting. */
  async #takeMany(): Promise<void> {
    await this.#rows(statements.declareRows())
    try {
      for (;;) {
        const page = await this.#rows<statements.OutboxRow>(statements.fetchRows(PAGE))
        if (page.length === 0) return
        await this.#handOn(page)
      }
    } finally {
      await this.#rows(statements.closeRows()).catch(() => {})
    }
  }

  async #handOn(page: readonly statements.OutboxRow[]): Promise<void> {
    await this.#learnShapes(page)
    this.#position++
    const changes = page.flatMap((row, number) => {
      if (this.#handed.has(row.seq)) return []
      const shape = this.#shapes.get(row.shape ?? 0) ?? null
      return changeOf(row, shape, outboxWatermark(this.#position, number)) ?? []
    })
    const seqs = page.map(({ seq }) => seq)
    const last = changes[changes.length - 1]?.watermark
    const { appending } = this.#sink
    if (appending === undefined && last !== undefined) {
      await this.#sink.changes(changes)
      for (const seq of seqs) this.#handed.add(seq)
    }
    const append = appending === undefined || last === undefined ? null : appending(changes)
    await this.#commit(seqs, append)
    this.#handed.clear()
    this.#committed = this.#position
    this.#touchedAt = this.#options.clock.now()
    if (last === undefined) return
    this.#last = last
    await this.#sink.appended?.(last)
  }

  /** Removes rows and, where nodes share a log, appends what they told to it: both or neither. */
  async #commit(seqs: readonly string[], append: Statement | null): Promise<void> {
    await this.#plain('begin')
    try {
      if (append !== null && (await this.#query(append)).rowCount === 0)
        throw new AppError('conflict', 'Another node leads the change feed by now.')
      await this.#rows(statements.removeRows(seqs))
      await this.#rows(statements.moveOn(this.#position))
      await this.#plain('commit')
    } catch (error) {
      await this.#plain('rollback').catch(() => {})
      throw error
    }
  }

  async #learnShapes(page: readonly statements.OutboxRow[]): Promise<void> {
    const unknown = new Set(page.flatMap(({ shape }) => (shape === null || this.#shapes.has(shape) ? [] : [shape])))
    if (unknown.size === 0) return
    for (const row of await this.#rows<statements.ShapeRow>(statements.findShapes([...unknown])))
      this.#shapes.set(row.id, shapeOf(row))
  }

  async #rows<T>(statement: Statement): Promise<readonly T[]> {
    // The statement's author states the row shape.
    return (await this.#query(statement)).rows as T[]
  }

  async #query({ text, values }: Statement): Promise<pg.QueryResult> {
    const client = this.#client
    if (client === null) throw this.#failure ?? new Error('the outbox has no connection')
    return client.query(
      text,
      values.map((value) => (typeof value === 'bigint' ? String(value) : value)),
    )
  }

  async #plain(text: string): Promise<void> {
    await this.#query({ name: 'outbox.transaction', text, values: [] })
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#failure !== null || this.#loop.stopping) return
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
    this.#wake = () => {}
  }
}
