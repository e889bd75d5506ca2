/**
 * Which node says what about presence. Every node keeps the entries of all nodes; they tell each other differences, and the whole when one
 * comes, or comes back, or has missed something. The entries of a node that is gone leave with it.
 */
import type { Bus, BusChannel } from '../bus/bus.ts'
import type { PresenceMeta } from './presence.ts'

/** One member's entry. */
export interface Entry {
  readonly key: string
  readonly meta: PresenceMeta
}

/** What came and went in a topic. */
export interface Delta {
  readonly topic: string
  readonly joins: readonly Entry[]
  readonly leaves: readonly Entry[]
}

type Word = { readonly node: string } & (
  | { readonly kind: 'delta'; readonly delta: Delta }
  /** Asks a node for all that its members say. */
  | { readonly kind: 'ask'; readonly of: string }
  | { readonly kind: 'state'; readonly topics: readonly (readonly [topic: string, entries: readonly Entry[]])[] }
)

const CHANNEL: BusChannel<Word> = {
  name: 'realtime.presence',
  encode: (word) => Buffer.from(JSON.stringify(word)),
  // Written by `encode` of the same version of the product.
  decode: (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as Word,
}

/** Entries by topic, then by ref. */
type Entries = Map<string, Map<string, Entry>>

export class PresenceNodes {
  readonly #bus: Bus
  readonly #apply: (delta: Delta) => void
  readonly #nodes = new Map<string, Entries>()
  readonly #stop: readonly (() => void)[]

  /** `apply` hears what came and went, here and elsewhere, each once. */
  constructor(bus: Bus, apply: (delta: Delta) => void) {
    this.#bus = bus
    this.#apply = apply
    const ask = (of: string) => this.#say({ kind: 'ask', node: bus.node, of })
    this.#stop = [
      bus.subscribe(CHANNEL, 'all', (word) => this.#heard(word)),
      bus.onPeers({ up: ask, gap: ask, down: (node) => this.#replace(node, []) }),
    ]
  }

  stop(): void {
    for (const stop of this.#stop) stop()
    this.#nodes.clear()
  }

  /** Says what members of this node did. */
  tell(delta: Delta): void {
    this.#say({ kind: 'delta', node: this.#bus.node, delta })
  }

  #say(word: Word): void {
    this.#bus.publish(CHANNEL, 'all', word)
  }

  #heard(word: Word): void {
    if (word.kind === 'delta') this.#take(word.node, word.delta)
    else if (word.kind === 'state') this.#replace(word.node, word.topics)
    else if (word.of === this.#bus.node && word.node !== this.#bus.node) this.#sayAll()
  }

  #sayAll(): void {
    const topics = [...this.#entriesOf(this.#bus.node)].map(
      ([topic, entries]) => [topic, [...entries.values()]] as const,
    )
    this.#say({ kind: 'state', node: this.#bus.node, topics })
  }

  /** Only what is new comes, and only what was there goes. */
  #take(node: string, { topic, joins, leaves }: Delta): void {
    const topics = this.#entriesOf(node)
    const entries = topics.get(topic) ?? new Map<string, Entry>()
    const came = joins.filter(({ meta }) => !entries.has(meta.ref))
    const went = leaves.filter(({ meta }) => entries.has(meta.ref))
    for (const entry of came) entries.set(entry.meta.ref, entry)
    for (const { meta } of went) entries.delete(meta.ref)
    if (entries.size > 0) topics.set(topic, entries)
    else topics.delete(topic)
    if (topics.size === 0) this.#nodes.delete(node)
    if (came.length > 0 || went.length > 0) this.#apply({ topic, joins: came, leaves: went })
  }

  #replace(node: string, state: readonly (readonly [topic: string, entries: readonly Entry[]])[]): void {
    const next = new Map(state)
    for (const topic of new Set([...next.keys(), ...this.#entriesOf(node).keys()])) {
      const joins = next.get(topic) ?? []
      const stays = new Set(joins.map(({ meta }) => meta.ref))
      const known = this.#entriesOf(node).get(topic) ?? new Map<string, Entry>()
      this.#take(node, { topic, joins, leaves: [...known.values()].filter(({ meta }) => !stays.has(meta.ref)) })
    }
  }

  #entriesOf(node: string): Entries {
    let entries = this.#nodes.get(node)
    if (entries === undefined) {
      entries = new Map()
      this.#nodes.set(node, entries)
    }
    return entries
  }
}
