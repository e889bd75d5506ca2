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

class Calls {
  private _list: (() => void)[] = []

  add(listener: () => void): () => void {
    this._list.push(listener)
    return () => {
      this._list = this._list.filter((one) => one !== listener)
    }
  }

  run(): void {
    for (const listener of this._list.slice()) listener()
  }

  get isEmpty(): boolean {
    return this._list.length === 0
  }
}

/** Watches the app's life and the network. Listens for as long as the app lives. */
export function watchConnectivity(wx: Wx): Connectivity {
  const [wake, hide, show, back] = [new Calls(), new Calls(), new Calls(), new Calls()]
  let hiddenSince: number | null = null
  let network: string | null = null
  let isOnline = true
  let lastTick = 0
  let timer: unknown = null
  const tick = (): void => {
    const passed = now() - lastTick
    lastTick = now()
    // Hidden apps are frozen and tick late by nature: onAppShow deals with them.
    if (timer !== null && hiddenSince === null && passed > TICK + GRACE) wake.run()
    timer = wake.isEmpty ? null : later(tick, TICK)
  }
  const settle = (): void => {
    if (hiddenSince === null && isOnline) back.run()
  }
  wx.onAppHide(() => {
    hiddenSince = now()
    hide.run()
  })
  wx.onAppShow(() => {
    const away = hiddenSince === null ? 0 : now() - hiddenSince
    hiddenSince = null
    lastTick = now()
    if (away >= GRACE) wake.run()
    show.run()
    settle()
  })
  wx.onNetworkStatusChange((status) => {
    const same = network === status.networkType && isOnline === status.isConnected
    network = status.networkType
    isOnline = status.isConnected
    if (isOnline && !same) wake.run()
    settle()
  })
  return {
    get isHidden() {
      return hiddenSince !== null
    },
    get isOnline() {
      return isOnline
    },
    ready: () =>
      new Promise((resolve) => {
        if (hiddenSince === null && isOnline) return resolve()
        const remove = back.add(() => {
          remove()
          resolve()
        })
      }),
    onWake: (listener) => {
      const remove = wake.add(listener)
      if (timer === null) {
        lastTick = now()
        timer = later(tick, TICK)
      }
      return () => {
        remove()
        if (wake.isEmpty && timer !== null) {
          cancel(timer)
          timer = null
        }
      }
    },
    onHide: (listener) => hide.add(listener),
    onShow: (listener) => show.add(listener),
  }
}
