/** The app's timers and its Date, on the simulated clock. */
import { type AppFunction, functionOf } from './call.ts'
import type { Clock } from './clock.ts'
import type { Phone } from './phone.ts'

/** Builds setTimeout and its kin: they stop while the app is suspended, and their exceptions are reported. */
export function createTimers(phone: Phone) {
  const starter =
    (every: boolean) =>
    (run: unknown, delay?: unknown, ...args: unknown[]): number => {
      const call: AppFunction = functionOf(run) ?? (() => {})
      return phone.clock.start(() => void phone.guard(() => call(...args)), Number(delay ?? 0), { app: true, every })
    }
  const stop = (id: unknown): void => {
    if (typeof id === 'number') phone.clock.stop(id)
  }
  return {
    setTimeout: starter(false),
    setInterval: starter(true),
    clearTimeout: stop,
    clearInterval: stop,
  }
}

/** Date on the simulated clock: without arguments it tells the phone's time. */
export function createDate(clock: Clock): DateConstructor {
  return new Proxy(Date, {
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [clock.now()] : args, newTarget),
    apply: () => new Date(clock.now()).toString(),
    get: (target, key) => (key === 'now' ? () => clock.now() : Reflect.get(target, key)),
  })
}
