/** What carries frames between nodes. It may lose, repeat and reorder them: `shared.ts` makes a bus of it. */

export interface TransportEvents {
  /** A frame of another node. The bytes are the receiver's to keep. */
  frame(bytes: Buffer): void
  /** Frames flow again after a time in which they did not. */
  restored(): void
  /** The connection is away; it is sought again without end. */
  lost(error: Error): void
}

export interface Transport {
  readonly kind: 'postgres' | 'nats'
  /** Largest frame in bytes; known once it has started. */
  readonly maxFrame: number
  /** Resolves once frames flow; rejects when that cannot be had. */
  start(events: TransportEvents): Promise<void>
  /** Never waits. A frame that cannot be sent now is dropped: whoever misses it asks for it again. */
  send(frame: Buffer): void
  /** Frees what a node holds at the broker that has long been silent. */
  evict?(node: string): void
  stop(): Promise<void>
}
