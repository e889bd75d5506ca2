/** The rights of one channel: whose token it is, what of a private topic that person may read and write, and when to ask again. */
import type { Caller } from '../../../identity/caller.ts'
import type { Topic } from '../../../live/broadcast.ts'
import type { ChannelExtension, ChannelRead } from '../../../live/channel-access.ts'
import { publicMessage } from './bindings.ts'
import type { Ground } from './ground.ts'
import { refusals } from './limits.ts'
import type { Rechecked } from './rechecks.ts'

/** What rights need of their channel. */
export interface RightsHolder {
  readonly ground: Ground
  readonly place: Topic
  readonly joined: boolean
  authenticate(token: string): Promise<Caller>
  /** Another token, or the same one with other claims: puts its rights in force where they were used. */
  renewed(caller: Caller): Promise<void>
  /** The rights are gone. */
  expel(message: string): void
  /** The rights could not be checked. */
  fail(): void
}

/** How often a token is looked at again: it may have been revoked. */
const RECHECK_MS = 300_000
/** How often the policies of a private channel are asked again. */
const REVIEW_MS = 3500
const EVERYTHING: ChannelRead = { broadcast: true, presence: true }

export class ChannelRights implements Rechecked {
  caller: Caller
  dueAt = 0
  reviewAt = Number.POSITIVE_INFINITY
  readonly #holder: RightsHolder
  /** The text that proved the caller, to notice when the same one comes again. */
  #token: string
  #read: ChannelRead = EVERYTHING
  #mayWrite: Readonly<Partial<Record<ChannelExtension, boolean>>> | null = null
  #checking = false

  constructor(holder: RightsHolder, caller: Caller, token: string) {
    this.#holder = holder
    this.caller = caller
    this.#token = token
    this.#schedule()
  }

  /** What may be received; asks the database about private topics. */
  async load(): Promise<ChannelRead> {
    const { ground, place } = this.#holder
    this.#mayWrite = null
    if (!place.private) return this.#read
    const { caller } = this
    this.reviewAt = ground.services.clock.now() + REVIEW_MS
    const read = await ground.services.access.read(caller, place.name)
    // An answer for another token says nothing about this one.
    if (caller === this.caller) this.#read = read
    return this.#read
  }

  get mayReadPresence(): boolean {
    return this.#read.presence
  }

  /** Whether it is known already if a message of that kind may be sent. */
  knows(extension: ChannelExtension): boolean {
    return !this.#holder.place.private || this.#mayWrite?.[extension] !== undefined
  }

  async mayWrite(extension: ChannelExtension): Promise<boolean> {
    const { ground, place } = this.#holder
    if (!place.private) return true
    const known = this.#mayWrite?.[extension]
    if (known !== undefined) return known
    const { caller } = this
    const answer = await ground.services.access.write(caller, place.name, extension)
    // An answer for another token says nothing about this one.
    if (caller === this.caller) this.#mayWrite = { ...this.#mayWrite, [extension]: answer }
    return answer
  }

  /** A token that arrives while the channel is joined: never answered, and the same one again changes nothing. */
  async newToken(token: unknown): Promise<void> {
    if (typeof token !== 'string' || token === '' || token === this.#token || token.startsWith('sb_')) return
    await this.#authenticate(token)
  }

  recheck(): void {
    if (this.#checking || !this.#holder.joined) return
    this.#checking = true
    this.#schedule()
    // Rights that cannot be checked are no rights: the client joins again, and is then checked.
    this.#recheck()
      .catch(() => this.#holder.fail())
      .finally(() => {
        this.#checking = false
      })
  }

  /** Policies of private channels read tables that change. */
  review(): void {
    if (this.#checking || !this.#holder.joined) return
    this.#checking = true
    this.load()
      .then((read) => {
        if (!read.broadcast) this.#holder.expel(refusals.notReadable(this.#holder.place.name))
      })
      .catch(() => this.#holder.fail())
      .finally(() => {
        this.#checking = false
      })
  }

  async #recheck(): Promise<void> {
    const { expiresAt } = this.caller
    const late = expiresAt === null ? -1 : this.#holder.ground.services.clock.now() / 1000 - expiresAt
    if (late >= 0) return this.#holder.expel(refusals.token(`Token has expired ${Math.floor(late)} seconds ago`))
    await this.#authenticate(this.#token)
  }

  async #authenticate(token: string): Promise<void> {
    let caller: Caller
    try {
      caller = await this.#holder.authenticate(token)
    } catch (error) {
      this.#holder.expel(refusals.token(publicMessage(error, 'The token could not be checked')))
      return
    }
    if (!this.#holder.joined) return
    const same = caller.role === this.caller.role && caller.claimsText === this.caller.claimsText
    this.#token = token
    this.caller = caller
    this.#schedule()
    if (!same || this.#holder.place.private) await this.#holder.renewed(caller)
  }

  #schedule(): void {
    const now = this.#holder.ground.services.clock.now()
    const { expiresAt } = this.caller
    this.dueAt = Math.min(now + RECHECK_MS, expiresAt === null ? Number.POSITIVE_INFINITY : expiresAt * 1000)
  }
}
