/** Messages between the nodes of one app. What travels is small, and nothing acknowledged depends on it: the database is the store. */

/** A kind of message. The codec is used only where a message leaves the process. */
export interface BusChannel<T> {
  /** Dotted lower-case words, for example `realtime.broadcast`. */
  readonly name: string
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}

export type BusHandler<T> = (value: T, subject: string) => void

/** Publish and subscribe by channel and subject. Delivery within a node is synchronous and in order; between nodes it is at most once. */
export interface Bus {
  /** Sends to every subscriber of the subject, those on this node included. */
  publish<T>(channel: BusChannel<T>, subject: string, value: T): void
  /** Calls `handler` for each message of the subject; the returned function ends that. */
  subscribe<T>(channel: BusChannel<T>, subject: string, handler: BusHandler<T>): () => void
  stop(): Promise<void>
}
