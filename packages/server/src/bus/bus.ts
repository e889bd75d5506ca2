/** Messages between the nodes of one app. What travels is small, and nothing acknowledged depends on it: the database is the store. */
import type { Service } from '../kernel/service.ts'

/** A kind of message. The codec is used only where a message leaves the process. */
export interface BusChannel<T> {
  /** Dotted lower-case words, for example `realtime.broadcast`. */
  readonly name: string
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}

export type BusHandler<T> = (value: T, subject: string) => void

/** Told about the other nodes. */
export interface PeerListener {
  /** A node is heard, for the first time or again. */
  up?(node: string): void
  /** A node said goodbye, or was not heard for `PEER_SILENCE_MS`. */
  down?(node: string): void
  /** Messages of a node are lost for good: whoever depends on them must read again. */
  gap?(node: string): void
}

/**
 * Publish and subscribe by channel and subject. On this node delivery is synchronous. From another node every message arrives once and in the
 * order in which that node sent it, also when the connection was cut in between; when too much was missed to be sent again, listeners hear of
 * a gap instead. A message that its node could not send before it died is lost with the node.
 */
export interface Bus extends Service {
  /** This node's name, another one after every start. */
  readonly node: string
  readonly kind: 'local' | 'postgres' | 'nats'
  /** Sends to every subscriber of the subject, those on this node included, each once. */
  publish<T>(channel: BusChannel<T>, subject: string, value: T): void
  /** Calls `handler` for each message of the subject; the returned function ends that. */
  subscribe<T>(channel: BusChannel<T>, subject: string, handler: BusHandler<T>): () => void
  /** Nodes that are heard now, without this one. */
  peers(): readonly string[]
  onPeers(listener: PeerListener): () => void
}

/** After so long without a word a node counts as gone. */
export const PEER_SILENCE_MS = 5_000
