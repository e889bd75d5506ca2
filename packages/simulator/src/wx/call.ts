/** The calling convention of wx: option callbacks or a promise, `api:ok` and `api:fail reason`, callbacks never in the caller's turn. */

export type Options = Readonly<Record<string, unknown>>
export type AppFunction = (...args: unknown[]) => unknown

/** How an API ends: exactly one of the two, once. */
export interface Settle {
  ok(result?: object): void
  fail(reason: string, extra?: object): void
}

/** Delivers callbacks into the app: later, in order, not while suspended, never letting an exception out. */
export interface Delivery {
  deliver(run: () => void): void
  report(error: unknown): void
}

/** The value as an object of options; anything else is no options. */
export const optionsOf = (value: unknown): Options =>
  typeof value === 'object' && value !== null ? (value as Options) : {}

/** The value when it can be called. */
export const functionOf = (value: unknown): AppFunction | null =>
  typeof value === 'function' ? (value as AppFunction) : null

export const stringOf = (value: unknown, fallback = ''): string => (typeof value === 'string' ? value : fallback)
export const numberOf = (value: unknown, fallback: number): number =>
  typeof value === 'number' && Number.isFinite(value) ? value : fallback
export const flagOf = (value: unknown, fallback = false): boolean => (typeof value === 'boolean' ? value : fallback)
export const arrayOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** The name WeChat gives a value's type in its parameter errors. */
export const typeName = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

/** WeChat's complaint about a wrong parameter, or null when the type is right. */
export function wrongParameter(options: Options, name: string, type: string): string | null {
  const actual = typeName(options[name])
  return actual === type ? null : `parameter error: parameter.${name} should be ${type} instead of ${actual};`
}

interface Outcome {
  readonly ok: boolean
  readonly result: { errMsg: string }
}

/** Ends a call: builds errMsg, then success or fail, then complete. */
export function settler(name: string, options: Options, delivery: Delivery, done?: (outcome: Outcome) => void): Settle {
  let settled = false
  const finish = (ok: boolean, result: { errMsg: string }) => {
    if (settled) return
    settled = true
    delivery.deliver(() => {
      functionOf(options[ok ? 'success' : 'fail'])?.(result)
    })
    delivery.deliver(() => {
      functionOf(options.complete)?.(result)
    })
    if (done) delivery.deliver(() => done({ ok, result }))
  }
  return {
    ok: (result) => finish(true, { errMsg: `${name}:ok`, ...result }),
    fail: (reason, extra) => finish(false, { errMsg: `${name}:fail ${reason}`, ...extra }),
  }
}

const hasCallbacks = (options: Options) =>
  ['success', 'fail', 'complete'].some((name) => typeof options[name] === 'function')

/** An asynchronous API: returns a promise when no callback was passed, else nothing. */
export function asyncApi(
  name: string,
  delivery: Delivery,
  run: (options: Options, settle: Settle) => void,
): (raw?: unknown) => Promise<unknown> | undefined {
  const start = (options: Options, settle: Settle) => {
    try {
      run(options, settle)
    } catch (error) {
      delivery.report(error)
      settle.fail(error instanceof Error ? error.message : String(error))
    }
  }
  return (raw) => {
    const options = optionsOf(raw)
    if (hasCallbacks(options)) {
      start(options, settler(name, options, delivery))
      return undefined
    }
    return new Promise((resolve, reject) => {
      const done = ({ ok, result }: Outcome) => (ok ? resolve(result) : reject(result))
      start(options, settler(name, options, delivery, done))
    })
  }
}

/** A list of listeners with WeChat's on/off pair: off without a listener drops all. */
export class Listeners {
  readonly #delivery: Delivery
  #list: AppFunction[] = []

  constructor(delivery: Delivery) {
    this.#delivery = delivery
  }

  readonly on = (listener: unknown): void => {
    const call = functionOf(listener)
    if (call) this.#list.push(call)
  }

  readonly off = (listener?: unknown): void => {
    this.#list = listener === undefined ? [] : this.#list.filter((one) => one !== listener)
  }

  get size(): number {
    return this.#list.length
  }

  /** Calls everyone later, in the order of registration. */
  emit(...args: unknown[]): void {
    for (const listener of this.#list) this.#delivery.deliver(() => listener(...args))
  }

  /** Calls everyone now; an exception of one does not keep it from the others. */
  emitNow(...args: unknown[]): void {
    for (const listener of this.#list) {
      try {
        listener(...args)
      } catch (error) {
        this.#delivery.report(error)
      }
    }
  }
}
