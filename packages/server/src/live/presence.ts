/**
 * Who is in a topic, and what they say about themselves. Every node keeps the whole state; nodes tell each other differences over the bus.
 * Differences of one topic that happen close together are told together: n people who arrive at once would cost n² messages otherwise.
 */
import type { Bus } from '../bus/bus.ts'
import { Bag } from '../kernel/bag.ts'
import type { Clock } from '../kernel/clock.ts'
import type { JsonObject } from '../kernel/json.ts'
import { type Topic, topicKey } from './broadcast.ts'
import { type Delta, type Entry, PresenceNodes } from './presence-nodes.ts'

/** One appearance of a key: a person with two devices has two. */
export interface PresenceMeta {
  readonly ref: string
  /** The ref that this one replaces. */
  readonly previous?: string
  readonly payload: JsonObject
}

export type PresenceState = ReadonlyMap<string, readonly PresenceMeta[]>

export interface PresenceDiff {
  readonly joins: PresenceState
  readonly leaves: PresenceState
  /** Keys that were present before and still are, with all they had and all they have: for readers that cannot merge. */
  readonly changed: ReadonlyMap<
    string,
    { readonly before: readonly PresenceMeta[]; readonly after: readonly PresenceMeta[] }
  >
}

export interface PresenceMember {
  presenceChanged(diff: PresenceDiff): void
}

interface Room {
  /** By key, then by ref. */
  readonly state: Map<string, Map<string, PresenceMeta>>
  readonly members: Bag<PresenceMember>
  joins: Entry[]
  leaves: Entry[]
  /** Cancels the pending tell; null while nothing waits. */
  pending: (() => void) | null
  toldAt: number
}

/** What a room has to tell when it has nothing to tell; never written to. */
const NONE: Entry[] = []

const appended = (entries: Entry[], entry: Entry): Entry[] => {
  if (entries === NONE) return [entry]
  entries.push(entry)
  return entries
}

/** Differences that follow each other faster than this are told together. */
const TELL_EVERY_MS = 50

export interface PresenceOptions {
  readonly bus: Bus
  readonly clock: Clock
  /** Distinguishes the refs of this node's members. */
  readonly node: string
}

export class Presence {
  readonly #options: PresenceOptions
  readonly #rooms = new Map<string, Room>()
  readonly #nodes: PresenceNodes
  #counter = 0

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#nodes = new PresenceNodes(options.bus, (delta) => this.#apply(delta))
  }

  stop(): void {
    this.#nodes.stop()
    for (const room of this.#rooms.values()) room.pending?.()
    this.#rooms.clear()
  }

  /** Tells `member` about every difference from now on. */
  watch(topic: Topic, member: PresenceMember): void {
    const key = topicKey(topic)
    const room = this.#room(key)
    // What waits to be told is in the state that the newcomer reads next.
    this.#tell(room)
    room.members.add(member)
  }

  /** Tells `member` nothing more. */
  unwatch(topic: Topic, member: PresenceMember): void {
    const key = topicKey(topic)
    const room = this.#rooms.get(key)
    if (room?.members.delete(member)) this.#forgetIfEmpty(key, room)
  }

  state(topic: Topic): PresenceState {
    const room = this.#rooms.get(topicKey(topic))
    if (room === undefined) return new Map()
    return new Map([...room.state].map(([key, metas]) => [key, [...metas.values()]]))
  }

  /** Puts an entry in, in place of `previous` when there is one; answers its ref. */
  track(topic: Topic, key: string, payload: JsonObject, previous: PresenceEntry | null): PresenceEntry {
    const ref = `${this.#options.node}${(++this.#counter).toString(36)}`
    const meta: PresenceMeta = previous === null ? { ref, payload } : { ref, previous: previous.ref, payload }
    this.#nodes.tell({
      topic: topicKey(topic),
      joins: [{ key, meta }],
      leaves: previous === null ? [] : [{ key: previous.key, meta: { ref: previous.ref, payload: previous.payload } }],
    })
    return { key, ref, payload }
  }

  untrack(topic: Topic, entry: PresenceEntry): void {
    this.#nodes.tell({
      topic: topicKey(topic),
      joins: [],
      leaves: [{ key: entry.key, meta: { ref: entry.ref, payload: entry.payload } }],
    })
  }

  #apply(delta: Delta): void {
    const room = this.#room(delta.topic)
    for (const { key, meta } of delta.joins) {
      let metas = room.state.get(key)
      if (metas === undefined) {
        metas = new Map()
        room.state.set(key, metas)
      }
      metas.set(meta.ref, meta)
      // Went and came back between two tells: nobody need know.
      const untold = room.leaves.findIndex((leave) => leave.meta.ref === meta.ref)
      if (untold >= 0) room.leaves.splice(untold, 1)
      else room.joins = appended(room.joins, { key, meta })
    }
    for (const entry of delta.leaves) this.#remove(room, entry)
    this.#schedule(delta.topic, room)
  }

  #remove(room: Room, entry: Entry): void {
    const metas = room.state.get(entry.key)
    const present = metas?.get(entry.meta.ref)
    if (metas === undefined || present === undefined) return
    metas.delete(entry.meta.ref)
    if (metas.size === 0) room.state.delete(entry.key)
    // Came and went between two tells: nobody need know.
    const unseen = room.joins.findIndex((join) => join.meta.ref === entry.meta.ref)
    if (unseen >= 0) room.joins.splice(unseen, 1)
    else room.leaves = appended(room.leaves, { key: entry.key, meta: present })
  }

  #schedule(key: string, room: Room): void {
    if (room.pending !== null) return
    const { clock } = this.#options
    const wait = Math.max(0, room.toldAt + TELL_EVERY_MS - clock.now())
    room.pending = clock.after(wait, () => {
      room.pending = null
      this.#tell(room)
      this.#forgetIfEmpty(key, room)
    })
  }

  #tell(room: Room): void {
    room.pending?.()
    room.pending = null
    if (room.joins.length === 0 && room.leaves.length === 0) return
    const diff = diffOf(room)
    room.joins = NONE
    room.leaves = NONE
    room.toldAt = this.#options.clock.now()
    room.members.forEach((member) => {
      member.presenceChanged(diff)
    })
  }

  #room(key: string): Room {
    let room = this.#rooms.get(key)
    if (room === undefined) {
      room = { state: new Map(), members: new Bag(), joins: NONE, leaves: NONE, pending: null, toldAt: 0 }
      this.#rooms.set(key, room)
    }
    return room
  }

  #forgetIfEmpty(key: string, room: Room): void {
    if (room.members.size > 0 || room.state.size > 0 || room.pending !== null) return
    if (this.#rooms.get(key) === room) this.#rooms.delete(key)
  }
}

/** A member's own entry, kept by the member to replace or remove it later. */
export interface PresenceEntry {
  readonly key: string
  readonly ref: string
  readonly payload: JsonObject
}

const diffOf = (room: Room): PresenceDiff => {
  const joins = group(room.joins)
  const leaves = group(room.leaves)
  const changed: Map<string, { before: PresenceMeta[]; after: PresenceMeta[] }> = new Map()
  for (const key of new Set([...joins.keys(), ...leaves.keys()])) {
    const after = [...(room.state.get(key)?.values() ?? [])]
    const fresh = new Set(joins.get(key)?.map((meta) => meta.ref))
    const before = [...(leaves.get(key) ?? []), ...after.filter((meta) => !fresh.has(meta.ref))]
    if (before.length > 0 && after.length > 0) changed.set(key, { before, after })
  }
  return { joins, leaves, changed }
}

const group = (entries: readonly Entry[]): PresenceState => {
  const byKey = new Map<string, PresenceMeta[]>()
  for (const { key, meta } of entries) {
    const metas = byKey.get(key)
    if (metas === undefined) byKey.set(key, [meta])
    else metas.push(meta)
  }
  return byKey
}
