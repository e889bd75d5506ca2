/**
 * What this node has heard of another one. Frames carry dense numbers, so a hole is seen at once: later frames wait, and what is missing is
 * asked for again. Pure: decides, and says what to do through its events.
 */

export interface PeerEvents {
  /** A whole message, each once and in the order of sending. */
  message(bytes: Buffer): void
  /** Ask the peer for frames, both ends included. */
  want(from: number, to: number): void
  /** Frames are gone for good. */
  gap(): void
}

export interface DataFrame {
  readonly seq: number
  readonly part: number
  readonly parts: number
  readonly body: Buffer
}

/** Frames that may wait behind a hole; more are dropped, and asked for when their turn comes. */
const MAX_HELD_FRAMES = 2_000
const MAX_HELD_BYTES = 16 * 1024 * 1024
/** Frames that are asked for at once. */
const MAX_WANTED = 500
const ASK_AGAIN_MS = 250

export class Peer {
  heardAt: number
  /** Whether listeners believe it to be there. */
  present = false
  readonly #events: PeerEvents
  /** Number of the frame that comes next; null before the first word. */
  #next: number | null = null
  /** Highest number that is known to exist. */
  #known = 0
  readonly #held = new Map<number, DataFrame>()
  #heldBytes = 0
  #parts: Buffer[] = []
  #askedAt = 0
  #askedTo = 0

  constructor(events: PeerEvents, now: number) {
    this.#events = events
    this.heardAt = now
  }

  data(frame: DataFrame, now: number): void {
    this.#next ??= frame.seq
    if (frame.seq > this.#known) this.#known = frame.seq
    if (frame.seq < this.#next) return
    if (frame.seq === this.#next) this.#advance(frame)
    else this.#hold(frame)
    this.#ask(now)
  }

  /** `last` exists, and everything from `floor` on can be had again. */
  beat(last: number, floor: number, now: number): void {
    this.#next ??= last + 1
    if (last > this.#known) this.#known = last
    if (this.#next < floor && this.#next <= this.#known) this.#skip(floor)
    this.#ask(now)
  }

  #advance(frame: DataFrame): void {
    let current: DataFrame | undefined = frame
    while (current !== undefined) {
      this.#next = current.seq + 1
      this.#assemble(current)
      current = this.#held.get(this.#next)
      if (current !== undefined) this.#release(current)
    }
  }

  #assemble({ part, parts, body }: DataFrame): void {
    if (part === 0) this.#parts = []
    // The first part was sent before we listened, or is lost with a gap that was told.
    if (part !== this.#parts.length) return
    this.#parts.push(body)
    if (this.#parts.length < parts) return
    const whole = parts === 1 ? body : Buffer.concat(this.#parts)
    this.#parts = []
    this.#events.message(whole)
  }

  #hold(frame: DataFrame): void {
    if (this.#held.has(frame.seq)) return
    if (this.#held.size >= MAX_HELD_FRAMES || this.#heldBytes + frame.body.length > MAX_HELD_BYTES) return
    this.#held.set(frame.seq, frame)
    this.#heldBytes += frame.body.length
  }

  #release(frame: DataFrame): void {
    this.#held.delete(frame.seq)
    this.#heldBytes -= frame.body.length
  }

  #skip(floor: number): void {
    for (const frame of [...this.#held.values()]) if (frame.seq < floor) this.#release(frame)
    this.#parts = []
    this.#next = floor
    this.#events.gap()
    const waiting = this.#held.get(floor)
    if (waiting === undefined) return
    this.#release(waiting)
    this.#advance(waiting)
  }

  #ask(now: number): void {
    const from = this.#next
    if (from === null || from > this.#known) return
    // What was asked for is on its way, unless that was a while ago.
    if (from <= this.#askedTo && now - this.#askedAt < ASK_AGAIN_MS) return
    let to = Math.min(this.#known, from + MAX_WANTED - 1)
    for (let seq = from; seq <= to; seq++) if (this.#held.has(seq)) to = seq - 1
    this.#askedAt = now
    this.#askedTo = to
    this.#events.want(from, to)
  }
}
