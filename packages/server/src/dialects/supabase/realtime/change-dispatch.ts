/** Gathers what one row change means for each channel, so that a channel gets one message with the ids of all its bindings that match. */
import type { RowChange } from '../../../feed/change.ts'
import type { Live } from '../../../live/live.ts'
import type { Projection } from '../../../live/projection.ts'
import { ChangeFrames } from './frames.ts'

/** A channel that takes part. */
export interface ChangeReceiver {
  /** Sends what was gathered for the change whose frames these are. */
  flushChanges(frames: ChangeFrames): void
}

export class ChangeDispatch {
  readonly #live: Live
  readonly #stop: () => void
  #frames: ChangeFrames | null = null
  #receivers: ChangeReceiver[] = []

  constructor(live: Live) {
    this.#live = live
    this.#stop = live.afterChange(() => this.#flush())
  }

  stop(): void {
    this.#stop()
  }

  /** Notes that a receiver has something for `change`. */
  gather(receiver: ChangeReceiver, change: RowChange): void {
    // The same change can be an update to one and an insert to another.
    if (this.#frames !== null && this.#frames.change !== change) this.#flush()
    this.#frames ??= new ChangeFrames(change, this.#live.catalog)
    this.#receivers.push(receiver)
  }

  #flush(): void {
    const frames = this.#frames
    const receivers = this.#receivers
    this.#frames = null
    this.#receivers = []
    if (frames !== null) for (const receiver of receivers) receiver.flushChanges(frames)
  }
}

/** What one channel has gathered: ids by what is shown of the row. Nearly always one entry. */
export class Gathered {
  #byProjection: { readonly projection: Projection; readonly ids: number[] }[] = []

  /** Answers true for the first entry since the last `take`. */
  add(id: number, projection: Projection): boolean {
    const first = this.#byProjection.length === 0
    const known = this.#byProjection.find((each) => each.projection.key === projection.key)
    if (known === undefined) this.#byProjection.push({ projection, ids: [id] })
    else if (!known.ids.includes(id)) known.ids.push(id)
    return first
  }

  take(): readonly { readonly projection: Projection; readonly ids: readonly number[] }[] {
    const taken = this.#byProjection
    this.#byProjection = []
    return taken
  }
}
