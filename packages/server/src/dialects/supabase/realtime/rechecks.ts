/**
 * Looks at the rights of open channels again: when their token expires, at the latest every five minutes, and at once when a session or a user
 * lost its proofs. What the policies of private channels say can change with any table, so those are asked again every few seconds, as many
 * as the database should be bothered with; with more of them each is asked less often. One clock for all: a timer and a listener for each channel cost more memory than the rest of an idle channel.
 */
import type { Caller } from '../../../identity/caller.ts'
import type { Identity } from '../../../identity/identity.ts'
import type { Clock } from '../../../kernel/clock.ts'

export interface Rechecked {
  readonly caller: Caller
  /** Milliseconds (of the clock) when to look at the token again. */
  readonly dueAt: number
  /** When to ask again what of a private channel may be read; infinity for others. */
  readonly reviewAt: number
  recheck(): void
  review(): void
}

/** How late a look may be. */
const EVERY_MS = 250
const SOON_MS = 10
/** A hundred a second, at a millisecond of the database each. */
const REVIEWS_PER_SWEEP = 25

export class Rechecks {
  readonly #clock: Clock
  readonly #members = new Set<Rechecked>()
  /** Sessions and users that lost their proofs since the last look. */
  readonly #revoked = new Set<string>()
  readonly #stopListening: () => void
  #cancelSweep: (() => void) | null = null
  #cancelRevoked: (() => void) | null = null

  constructor(clock: Clock, identity: Identity) {
    this.#clock = clock
    this.#stopListening = identity.onRevoked?.((subject) => this.#revoke(subject)) ?? (() => {})
  }

  add(member: Rechecked): void {
    this.#members.add(member)
    this.#cancelSweep ??= this.#clock.after(EVERY_MS, () => this.#sweep())
  }

  remove(member: Rechecked): void {
    this.#members.delete(member)
  }

  stop(): void {
    this.#stopListening()
    this.#cancelSweep?.()
    this.#cancelRevoked?.()
    this.#members.clear()
  }

  #sweep(): void {
    this.#cancelSweep = null
    const now = this.#clock.now()
    let reviews = REVIEWS_PER_SWEEP
    for (const member of [...this.#members]) {
      if (now >= member.dueAt) member.recheck()
      else if (now >= member.reviewAt && reviews-- > 0) {
        // Whoever was asked goes to the end of the line, so that everybody's turn comes.
        this.#members.delete(member)
        this.#members.add(member)
        member.review()
      }
    }
    if (this.#members.size > 0) this.#cancelSweep = this.#clock.after(EVERY_MS, () => this.#sweep())
  }

  /** Many logouts in a moment make one look. */
  #revoke(subject: string): void {
    this.#revoked.add(subject)
    this.#cancelRevoked ??= this.#clock.after(SOON_MS, () => {
      this.#cancelRevoked = null
      const revoked = new Set(this.#revoked)
      this.#revoked.clear()
      for (const member of this.#members) {
        const { userId, claims } = member.caller
        const session = claims.session_id
        if ((userId !== null && revoked.has(userId)) || (typeof session === 'string' && revoked.has(session)))
          member.recheck()
      }
    })
  }
}
