/** What request, upload and download share: the queue of ten, timeouts, abort, interruption, and the task they return. */
import { Listeners, type Settle } from './call.ts'
import type { HeaderList, HttpCall } from './host.ts'
import type { Phone } from './phone.ts'

export interface TransferCall extends HttpCall {
  readonly api: string
  readonly timeout: number
}

export interface TransferEvents {
  sent?(bytes: number, total: number): void
  head?(status: number, headers: HeaderList): void
  data(chunk: Uint8Array): void
  end(status: number, headers: HeaderList): void
}

/** A started transfer; `stop` ends it early with a reason. */
export interface Transfer {
  stop(reason: string, extra?: object): void
}

/** Counts running transfers and lets the next one in. */
export class TransferGate {
  readonly #waiting: (() => void)[] = []
  #running = 0

  /** Runs `start` now or when a place is free. The returned function leaves the queue or gives the place back. */
  enter(limit: number, start: () => void): () => void {
    let entered = false
    let left = false
    const admit = () => {
      entered = true
      this.#running++
      start()
    }
    if (this.#running < limit) admit()
    else this.#waiting.push(admit)
    return () => {
      if (left) return
      left = true
      if (!entered) {
        this.#waiting.splice(this.#waiting.indexOf(admit), 1)
        return
      }
      this.#running--
      this.#waiting.shift()?.()
    }
  }

  isFull(limit: number): boolean {
    return this.#running >= limit
  }
}

/** Runs one HTTP exchange under the phone's rules. Whatever happens, `settle.fail` or `events.end` comes once. */
export function runTransfer(
  phone: Phone,
  gate: TransferGate,
  call: TransferCall,
  events: TransferEvents,
  settle: Settle,
): Transfer {
  let over = false
  let abort: (() => void) | null = null
  let leave = () => {}
  const cleanups: (() => void)[] = []
  const finish = (): boolean => {
    if (over) return false
    over = true
    for (const cleanup of cleanups) cleanup()
    leave()
    return true
  }
  const stop = (reason: string, extra?: object) => {
    if (!finish()) return
    abort?.()
    settle.fail(reason, extra)
  }
  const refusal = refuse(phone, gate, call.api)
  if (refusal) {
    stop(refusal.reason, refusal.errno === undefined ? {} : { errno: refusal.errno })
    return { stop }
  }
  cleanups.push(
    phone.track({
      interrupt: (why) =>
        why === 'interrupted'
          ? stop('interrupted', { errno: 600003 })
          : stop('net::ERR_INTERNET_DISCONNECTED', { errno: 600001 }),
    }),
  )
  leave = gate.enter(phone.settings.limits.concurrentRequests, () => {
    const timer = phone.clock.start(() => stop('timeout', { errno: 5 }), call.timeout, { app: false })
    cleanups.push(() => phone.clock.stop(timer))
    abort = exchange(phone, call, events, { finish, stop, isOver: () => over })
  })
  // The exchange may have failed before `enter` returned.
  if (over) leave()
  return { stop }
}

function refuse(phone: Phone, gate: TransferGate, api: string): { reason: string; errno?: number } | null {
  const planned = phone.takeFailure(api)
  if (planned) return planned
  const { requestOverflow, limits } = phone.settings
  if (requestOverflow === 'fail' && gate.isFull(limits.concurrentRequests))
    return { reason: 'exceed max request concurrency' }
  return phone.networkRefusal()
}

interface Control {
  finish(): boolean
  stop(reason: string, extra?: object): void
  isOver(): boolean
}

function exchange(phone: Phone, call: HttpCall, events: TransferEvents, control: Control): () => void {
  let status = 0
  let headers: HeaderList = []
  const running = phone.host.network.http(call, {
    sent: (bytes, total) => {
      if (!control.isOver()) events.sent?.(bytes, total)
    },
    head: (code, list) => {
      status = code
      headers = list
      if (!control.isOver()) events.head?.(code, list)
    },
    data: (chunk) => {
      if (!control.isOver()) events.data(chunk)
    },
    end: () => {
      if (control.finish()) events.end(status, headers)
    },
    error: (message) => control.stop(message, { errno: 600001 }),
  })
  return () => running.abort()
}

/** The on/off pairs and abort of RequestTask, UploadTask and DownloadTask. */
export function taskEvents(phone: Phone) {
  return {
    headers: new Listeners(phone),
    progress: new Listeners(phone),
    chunk: new Listeners(phone),
  }
}
