/** queueMicrotask. */
import { guard } from './events.ts'

/** Runs when the current turn is over. */
export function queueMicrotask(run: () => void): void {
  if (typeof run !== 'function') throw new TypeError('queueMicrotask: not a function')
  void Promise.resolve().then(() => guard(run))
}
