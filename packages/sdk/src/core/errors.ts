/** DOMException, for the errors that the standards name. */

const CODES: Readonly<Record<string, number>> = {
  InvalidCharacterError: 5,
  NotSupportedError: 9,
  InvalidStateError: 11,
  SyntaxError: 12,
  InvalidAccessError: 15,
  AbortError: 20,
  QuotaExceededError: 22,
  TimeoutError: 23,
  DataCloneError: 25,
}

/** An Error with a standard name and code. */
export class DOMException {
  // Set on the Error that the constructor answers.
  declare readonly name: string
  declare readonly message: string
  declare readonly code: number
  declare readonly stack?: string

  constructor(message = '', name = 'Error') {
    // `extends Error` loses the prototype in ES5, and the helper that saves it costs 1 KB: a real Error gets ours instead.
    const error = new Error(message)
    Object.setPrototypeOf(error, DOMException.prototype)
    Object.defineProperty(error, 'name', { value: name, configurable: true })
    Object.defineProperty(error, 'code', { value: CODES[name] ?? 0, configurable: true })
    // The constructor may answer another object; that it is one of ours was just arranged.
    // biome-ignore lint/correctness/noConstructorReturn: see above
    return error as unknown as DOMException
  }
}
Object.setPrototypeOf(DOMException.prototype, Error.prototype)

/** What the standards throw most. */
export const typeError = (message: string): TypeError => new TypeError(message)
