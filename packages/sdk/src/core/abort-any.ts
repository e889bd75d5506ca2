/** AbortSignal.any. */
import { AbortSignal, abortSignal } from './abort.ts'
import type { Event } from './events.ts'

/** Aborts with the first of the given signals. */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  const signal = new AbortSignal()
  for (const source of signals) if (source.aborted && !signal.aborted) abortSignal(signal, source.reason)
  if (signal.aborted) return signal
  const listener = (event: Event): void => {
    for (const source of signals) source.removeEventListener('abort', listener)
    // Only signals are listened to.
    abortSignal(signal, (event.target as AbortSignal).reason)
  }
  for (const source of signals) source.addEventListener('abort', listener)
  return signal
}
