/**
 * The nodes of one database, as the database knows them. A node must never be alone without knowing: one that is registered and not heard on
 * the bus would miss what the others say, so it is named aloud; and nodes that cannot work together do not start together.
 */
import type { Pool } from '../db/pool.ts'
import type { Clock } from '../kernel/clock.ts'
import { AppError } from '../kernel/errors.ts'
import type { Service } from '../kernel/service.ts'
import type { Log } from '../observe/log.ts'
import type { Bus } from './bus.ts'
import { keepNode, type NodeFacts, otherNodes, removeNode } from './nodes.sql.ts'

export type { NodeFacts } from './nodes.sql.ts'

export interface NodesOptions {
  readonly db: Pool
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Log
  readonly facts: NodeFacts
}

const BEAT_EVERY_MS = 2_000
/** Without a sign of life for so long a node counts as gone. */
const STALE_SECONDS = 7
/** How long one that starts waits for a node that it cannot live with: it may be the remains of a crash. */
const PATIENCE_MS = 9_000
/** How long one that starts waits to hear those that are there. */
const HELLO_MS = 3_000
/** How long a node may be registered without being heard. */
const UNHEARD_MS = 10_000
const LOOK_MS = 200

export class Nodes implements Service {
  readonly #options: NodesOptions
  readonly #unheardSince = new Map<string, number>()
  readonly #named = new Set<string>()
  #cancel: () => void = () => {}
  #beating: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: NodesOptions) {
    this.#options = options
  }

  /** Rejects when another node is there with which this one cannot work. */
  async start(): Promise<void> {
    const { db, facts } = this.#options
    await this.#waitFor(PATIENCE_MS, async () => (await this.#conflict()) === null)
    const conflict = await this.#conflict()
    if (conflict !== null) throw conflict
    if (facts.files === 'disk' && (await this.#others()).length > 0)
      this.#options.log.warn(
        { bus: facts.bus },
        'several servers use this database, and files are on the disk of this one: give all of them the same --storage-url',
      )
    await db.run(keepNode(facts))
    if (facts.bus !== 'local') await this.#waitFor(HELLO_MS, async () => (await this.#unheard()).length === 0)
    this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel()
    await this.#beating
    // The database may be what failed; the row grows stale by itself.
    await this.#options.db.run(removeNode(this.#options.facts.name)).catch(() => {})
  }

  async #others(): Promise<readonly NodeFacts[]> {
    const { db, facts } = this.#options
    const others = await db.many<NodeFacts>(otherNodes(facts.name, STALE_SECONDS))
    return others.filter((other) => other.host !== facts.host || isAlive(other.pid))
  }

  async #unheard(): Promise<readonly NodeFacts[]> {
    const heard = this.#options.bus.peers()
    return (await this.#others()).filter(({ name }) => !heard.includes(name))
  }

  async #conflict(): Promise<AppError | null> {
    const { facts } = this.#options
    for (const other of await this.#others()) {
      const place = `${other.host} (process ${other.pid})`
      if (other.bus !== facts.bus)
        return new AppError(
          'conflict',
          `A server on ${place} uses this database with the bus "${other.bus}", this one would use "${facts.bus}": they would not hear each other. Give all of them the same --bus-url.`,
        )
      if (!other.secrets.some((secret) => facts.secrets.includes(secret)))
        return new AppError(
          'conflict',
          `A server on ${place} uses this database with another JWT secret: neither would take the other's tokens. Give all of them the same --jwt-secret.`,
        )
    }
    return null
  }

  /** Looks until `done`, or for `ms`. */
  async #waitFor(ms: number, done: () => Promise<boolean>): Promise<void> {
    const { clock } = this.#options
    const deadline = clock.now() + ms
    while (!(await done()) && clock.now() < deadline) {
      await new Promise<void>((resolve) => {
        // Not the injected clock's timer: that one keeps no process alive, and this is all that a starting process does.
        setTimeout(resolve, LOOK_MS)
      })
    }
  }

  #schedule(): void {
    if (this.#stopped) return
    this.#cancel = this.#options.clock.after(BEAT_EVERY_MS, () => {
      this.#beating = this.#beat()
        .catch((error: unknown) => this.#options.log.warn({ error }, 'this node could not register'))
        .finally(() => this.#schedule())
    })
  }

  async #beat(): Promise<void> {
    const { db, facts, clock } = this.#options
    await db.run(keepNode(facts))
    const unheard = await this.#unheard()
    const now = clock.now()
    for (const name of [...this.#unheardSince.keys()]) {
      if (unheard.some((other) => other.name === name)) continue
      this.#unheardSince.delete(name)
      this.#named.delete(name)
    }
    for (const other of unheard) {
      const since = this.#unheardSince.get(other.name) ?? now
      this.#unheardSince.set(other.name, since)
      if (now - since >= UNHEARD_MS) this.#name(other)
    }
  }

  #name({ name, host, pid, bus }: NodeFacts): void {
    if (this.#named.has(name)) return
    this.#named.add(name)
    this.#options.log.error(
      { node: name, host, pid, bus },
      'another server uses this database and is not heard on the bus: clients of the two do not see each other',
    )
  }
}

/** Whether a process of this machine lives. What another one left behind in a crash need not be waited for. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process lives, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
