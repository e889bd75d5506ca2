/** Messages that members of a topic send each other: who is in a topic on this node, and delivery over the bus. Authorisation happened when they joined. */
import type { Bus, BusChannel } from '../bus/bus.ts'
import { Bag } from '../kernel/bag.ts'
import type { JsonObject } from '../kernel/json.ts'

/** A topic; private and public topics of the same name are different places. */
export interface Topic {
  readonly name: string
  readonly private: boolean
}

/** The sender's payload, untouched: JSON text (checked) or bytes. */
export interface MessageBody {
  readonly encoding: 'json' | 'binary'
  readonly bytes: Buffer
}

export interface TopicMessage {
  readonly topic: Topic
  readonly event: string
  readonly body: MessageBody
  /** For example the id of a stored message. */
  readonly meta?: JsonObject
  /** The member that sent it, if one did. */
  readonly sender: string | null
}

export interface TopicMember {
  /** Unique on all nodes. */
  readonly id: string
  receive(message: TopicMessage): void
  /** Messages of another node may have been missed: whoever depends on them must read again. */
  missed?(): void
}

/** Text that identifies a topic. */
export const topicKey = (topic: Topic): string => `${topic.private ? 'private' : 'public'}:${topic.name}`

const CHANNEL: BusChannel<TopicMessage> = {
  name: 'realtime.broadcast',
  encode: ({ body, ...head }) => {
    const text = Buffer.from(JSON.stringify({ ...head, encoding: body.encoding }))
    const length = Buffer.alloc(4)
    length.writeUInt32BE(text.length)
    return Buffer.concat([length, text, body.bytes])
  },
  decode: (bytes) => {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const length = buffer.readUInt32BE(0)
    // Written by `encode` of the same version of the product.
    const head = JSON.parse(buffer.toString('utf8', 4, 4 + length)) as Omit<TopicMessage, 'body'> &
      Pick<MessageBody, 'encoding'>
    const { encoding, ...rest } = head
    return { ...rest, body: { encoding, bytes: buffer.subarray(4 + length) } }
  },
}

interface Room {
  readonly members: Bag<TopicMember>
  readonly leave: () => void
}

export class Broadcasts {
  readonly #bus: Bus
  readonly #rooms = new Map<string, Room>()

  constructor(bus: Bus) {
    this.#bus = bus
    bus.onPeers({ gap: () => this.#missed() })
  }

  /** Adds a member. */
  join(topic: Topic, member: TopicMember): void {
    const key = topicKey(topic)
    let room = this.#rooms.get(key)
    if (room === undefined) {
      room = { members: new Bag(), leave: this.#bus.subscribe(CHANNEL, key, (message) => this.deliver(message)) }
      this.#rooms.set(key, room)
    }
    room.members.add(member)
  }

  /** Takes a member out again; nothing happens when it is not there. */
  leave(topic: Topic, member: TopicMember): void {
    const key = topicKey(topic)
    const room = this.#rooms.get(key)
    if (room === undefined || !room.members.delete(member) || room.members.size > 0) return
    this.#rooms.delete(key)
    room.leave()
  }

  /** Sends to the members on every node. */
  publish(message: TopicMessage): void {
    this.#bus.publish(CHANNEL, topicKey(message.topic), message)
  }

  /** Sends to the members on this node: for messages that every node learns of by itself. */
  deliver(message: TopicMessage): void {
    const room = this.#rooms.get(topicKey(message.topic))
    if (room === undefined) return
    room.members.forEach((member) => {
      member.receive(message)
    })
  }

  #missed(): void {
    for (const { members } of [...this.#rooms.values()]) for (const member of [...members]) member.missed?.()
  }

  /** Topics that have members here. */
  get size(): number {
    return this.#rooms.size
  }
}
