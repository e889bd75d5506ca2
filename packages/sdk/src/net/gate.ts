/** A queue in front of `wx.request` and `wx.uploadFile`: ten may run at once, and what lasts long may not take all ten. */

export interface GateLimits {
  /** How many requests run at once. WeChat runs ten; leave room when other code calls `wx.request` as well. */
  readonly total: number
  /** How many of them may be streams, event sources, downloads being read and uploads by path. */
  readonly long: number
}

/** Leaves the queue, or gives the place back; may be called twice. */
export type Leave = () => void

interface Waiting {
  readonly _isLong: boolean
  readonly _start: () => void
}

/** Admits requests in their order; a long one that has to wait does not hold up the short ones behind it. */
export class Gate {
  private readonly _limits: GateLimits
  private _waiting: Waiting[] = []
  private _running = 0
  private _long = 0

  constructor(limits: GateLimits) {
    this._limits = limits
  }

  enter(isLong: boolean, start: () => void): Leave {
    let left = false
    let entered = false
    const entry: Waiting = {
      _isLong: isLong,
      _start: () => {
        entered = true
        this._running++
        if (isLong) this._long++
        start()
      },
    }
    this._waiting.push(entry)
    this._admit()
    return () => {
      if (left) return
      left = true
      if (!entered) {
        this._waiting = this._waiting.filter((one) => one !== entry)
        return
      }
      this._running--
      if (isLong) this._long--
      this._admit()
    }
  }

  private _admit(): void {
    while (this._running < this._limits.total) {
      const at = this._waiting.findIndex((entry) => !entry._isLong || this._long < this._limits.long)
      const next = this._waiting.splice(at, at < 0 ? 0 : 1)[0]
      if (!next) return
      next._start()
    }
  }
}
