/** AbortController and AbortSignal. */
import { DOMException } from './errors.ts'
import { Event, EventTarget } from './events.ts'
import { lazy } from './lazy.ts'
import { later } from './platform.ts'

/** Tells whoever listens that something should end. */
export class AbortSignal extends EventTarget {
  aborted = false
  reason: unknown = undefined
  onabort: ((event: Event) => unknown) | null = null

  throwIfAborted(): void {
    if (this.aborted) throw this.reason
  }

  /** A signal that is aborted already. */
  static abort(reason?: unknown): AbortSignal {
    const signal = new AbortSignal()
    abortSignal(signal, reason)
    return signal
  }

  /** Aborts by itself. The timer stands still while the app is suspended, as every timer of a mini-program. */
  static timeout(delay: number): AbortSignal {
    const signal = new AbortSignal()
    later(() => abortSignal(signal, new DOMException('signal timed out', 'TimeoutError')), delay)
    return signal
  }

  /** Aborts with the first of the given signals. */
  static any(signals: readonly AbortSignal[]): AbortSignal {
    return lazy._extras()._anySignal(signals)
  }
}

export function abortSignal(signal: AbortSignal, reason: unknown): void {
  if (signal.aborted) return
  signal.aborted = true
  signal.reason = reason === undefined ? new DOMException('signal is aborted without reason', 'AbortError') : reason
  signal.dispatchEvent(new Event('abort'))
}

/** Owns a signal. */
export class AbortController {
  readonly signal: AbortSignal = new AbortSignal()

  abort(reason?: unknown): void {
    abortSignal(this.signal, reason)
  }
}

/** Runs `stop` when a signal aborts; the answer stops listening. */
export function onAbort(signal: AbortSignal | null | undefined, stop: () => void): () => void {
  if (!signal) return () => {}
  signal.addEventListener('abort', stop)
  return () => signal.removeEventListener('abort', stop)
}
