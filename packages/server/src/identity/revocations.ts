/**
 * Access tokens that are void before they expire: those of sessions that ended and of people who were banned or removed.
 *
 * Asking the database for every request would cost a round trip each. Every node keeps the short list in memory (a revocation lives no
 * longer than the tokens it voids) and reads what is new once a second, so a logout on one node holds on all of them within about that time.
 */
import type { Pool, Queryable } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import type { JsonObject } from '../kernel/json.ts'
import type { Service } from '../kernel/service.ts'
import type { Log } from '../observe/log.ts'
import { forgetRevocations, insertRevocations, revocationsAfter } from './revocations.sql.ts'

const LOOK_EVERY_MS = 1_000
const SWEEP_EVERY = 600
/** Lifts a revocation: nothing was issued before it. */
const NEVER = new Date(0)

export interface RevocationOptions {
  readonly db: Pool
  readonly clock: Clock
  readonly log: Log
  /** How long an access token may live, seconds. */
  readonly longest: number
}

interface Entry {
  readonly revokedAt: number
  readonly keepUntil: number
}

export class Revocations implements Service {
  readonly #options: RevocationOptions
  readonly #entries = new Map<string, Entry>()
  readonly #listeners = new Set<(subject: string) => void>()
  #seq = '0'
  #cancel: (() => void) | null = null
  #looking: Promise<void> = Promise.resolve()
  #rounds = 0
  #stopped = false

  constructor(options: RevocationOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    await this.#look()
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#looking
  }

  /** What voids the token with these claims: the end of its session, or what became of its user. */
  revokedBy(claims: JsonObject): 'session' | 'user' | null {
    if (this.#entries.size === 0) return null
    if (this.#voids(claims.sub, claims.iat)) return 'user'
    return this.#voids(claims.session_id, claims.iat) ? 'session' : null
  }

  /** Tells whoever holds something open for the subject (a session or a user), so that it can look again. Answers how to stop. */
  onRevoked(listener: (subject: string) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Voids what sessions or users hold. Takes effect when `db`, a transaction perhaps, has committed: call `applied` then. */
  async revoke(db: Queryable, subjects: readonly string[]): Promise<void> {
    const now = this.#options.clock.now()
    if (subjects.length > 0) await db.run(insertRevocations(subjects, new Date(now), this.#end(now)))
  }

  /** Gives a user who was banned back what is still in date. */
  async lift(db: Queryable, subject: string): Promise<void> {
    await db.run(insertRevocations([subject], NEVER, this.#end(this.#options.clock.now())))
  }

  /** Reads what is new, without waiting for the next round. */
  async applied(): Promise<void> {
    await this.#look()
  }

  #end(now: number): Date {
    return new Date(now + (this.#options.longest + 60) * 1000)
  }

  #voids(subject: unknown, iat: unknown): boolean {
    if (typeof subject !== 'string') return false
    const entry = this.#entries.get(subject)
    if (entry === undefined) return false
    return typeof iat !== 'number' || Math.floor(iat) * 1000 <= entry.revokedAt
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(LOOK_EVERY_MS, () => {
      this.#looking = this.#look()
        .then(() => this.#sweep())
        .catch((error: unknown) => this.#options.log.warn({ error }, 'revocations could not be read'))
        .finally(() => this.#schedule())
    })
  }

  async #look(): Promise<void> {
    const { db, clock } = this.#options
    // A transaction that commits late can hold a lower number than one that was read: look a little back each time.
    const from = BigInt(this.#seq) > 200n ? String(BigInt(this.#seq) - 200n) : '0'
    const rows = await db.many<{ seq: string; subject: string; revokedAt: string; keepUntil: string }>(
      revocationsAfter(from, new Date(clock.now())),
    )
    for (const row of rows) this.#take(row)
  }

  #take(row: { seq: string; subject: string; revokedAt: string; keepUntil: string }): void {
    const revokedAt = Date.parse(row.revokedAt)
    const known = this.#entries.get(row.subject)
    if (BigInt(row.seq) > BigInt(this.#seq)) this.#seq = row.seq
    if (revokedAt <= 0) this.#entries.delete(row.subject)
    else this.#entries.set(row.subject, { revokedAt, keepUntil: Date.parse(row.keepUntil) })
    if (revokedAt > 0 && known?.revokedAt !== revokedAt) for (const listener of this.#listeners) listener(row.subject)
  }

  async #sweep(): Promise<void> {
    this.#rounds += 1
    if (this.#rounds % SWEEP_EVERY !== 0) return
    const now = this.#options.clock.now()
    for (const [subject, entry] of this.#entries) if (entry.keepUntil <= now) this.#entries.delete(subject)
    await this.#options.db.run(forgetRevocations(new Date(now)))
  }
}
