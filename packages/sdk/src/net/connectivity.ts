/** Whether the app is in front and the network there, and the moments when connections must be made anew. */
import { cancel, later, now, type Wx } from '../core/platform.ts'

/** After this time in the background the system cuts every connection. */
const GRACE = 5_000
/** How often the clock is looked at: a larger step means that the app was frozen and no event said so. */
const TICK = 5_000

export interface Connectivity {
  readonly isHidden: boolean
  readonly isOnline: boolean
  /** Resolves at once when a call could go out, else when the app is in front and the network there. */
  ready(): Promise<void>
  /** Calls when old connections are dead although nothing says so: back after the grace time, or on another network. */
  onWake(listener: () => void): () => void
  /** Calls when the app goes to the background. */
  onHide(listener: () => void): () => void
  /** Calls at every return, long or short. */
  onShow(listener: () => void): () => void
}

/** Adds a listener to a list; the answer takes it away again. Lists are never changed, so that a listener may come and go as it is called. */
type Listeners = { _list: readonly (() => void)[] }
const none = (): Listeners => ({ _list: [] })
function run(listeners: Listeners): void {
  for (const listener of listeners._list) listener()
}
function add(listeners: Listeners, listener: () => void): () => void {
  listeners._list = listeners._list.concat(listener)
  return () => {
    listeners._list = listeners._list.filter((one) => one !== listener)
  }
}

/** Watches the app's life and the network, for as long as the app lives. */
class Watch implements Connectivity {
  isOnline = true
  private _wake = none()
  private _hide = none()
  private _show = none()
  private _back = none()
  private _hiddenSince: number | null = null
  private _network: string | null = null
  private _lastTick = 0
  private _timer: unknown = null

  constructor(wx: Wx) {
    wx.onAppHide(() => {
      this._hiddenSince = now()
      run(this._hide)
    })
    wx.onAppShow(() => this._shown())
    wx.onNetworkStatusChange(({ isConnected, networkType }) => this._networkChanged(isConnected, networkType))
  }

  get isHidden(): boolean {
    return this._hiddenSince !== null
  }

  ready(): Promise<void> {
    if (!this.isHidden && this.isOnline) return Promise.resolve()
    return new Promise((resolve) => {
      const remove = add(this._back, () => {
        remove()
        resolve()
      })
    })
  }

  onWake(listener: () => void): () => void {
    const remove = add(this._wake, listener)
    if (this._timer === null) this._startTimer()
    return () => {
      remove()
      if (!(this._wake._list.length === 0) || this._timer === null) return
      cancel(this._timer)
      this._timer = null
    }
  }

  onHide(listener: () => void): () => void {
    return add(this._hide, listener)
  }

  onShow(listener: () => void): () => void {
    return add(this._show, listener)
  }

  private _shown(): void {
    const away = this._hiddenSince === null ? 0 : now() - this._hiddenSince
    this._hiddenSince = null
    this._lastTick = now()
    if (away >= GRACE) run(this._wake)
    run(this._show)
    this._settle()
  }

  private _networkChanged(isConnected: boolean, type: string): void {
    const isSame = this._network === type && this.isOnline === isConnected
    this._network = type
    this.isOnline = isConnected
    if (isConnected && !isSame) run(this._wake)
    this._settle()
  }

  /** What waits for the app and the network goes on when both are there. */
  private _settle(): void {
    if (!this.isHidden && this.isOnline) run(this._back)
  }

  private _startTimer(): void {
    this._lastTick = now()
    this._timer = later(() => this._tick(), TICK)
  }

  /** A step of the clock that is far too long: the app was frozen, and nothing said so. */
  private _tick(): void {
    const passed = now() - this._lastTick
    this._timer = null
    // Hidden apps tick late by nature: onAppShow deals with them.
    if (!this.isHidden && passed > TICK + GRACE) run(this._wake)
    if (!(this._wake._list.length === 0) && this._timer === null) this._startTimer()
  }
}

/** The one watch of a runtime. */
export const watchConnectivity = (wx: Wx): Connectivity => new Watch(wx)
