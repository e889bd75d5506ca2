/** The one error type that services throw. What a client sees of it is decided by each dialect's `errors.ts`. */

/** Product-level reasons. Every dialect maps each of them to its own wire shape, so a missing mapping fails to compile. */
export type ErrorCode =
  | 'bad_request' // the input is malformed or violates a documented rule
  | 'unauthorized' // nobody is asking, or their proof is not valid
  | 'forbidden' // somebody is asking, and may not
  | 'not_found'
  | 'conflict' // exists already, or changed meanwhile
  | 'too_large'
  | 'unsupported' // a documented gap
  | 'rate_limited'
  | 'timeout'
  | 'unavailable' // the database or a peer is away; retrying later may work
  | 'internal' // our own failure

export interface AppErrorOptions {
  readonly cause?: unknown
  /** Machine-readable reason inside the code, in a service's own words, for example `bucket_not_found`. */
  readonly reason?: string
  readonly details?: string
  readonly hint?: string
  /** Seconds after which a retry makes sense. */
  readonly retryAfter?: number
}

/** A failure with a product-level code. The message is written for the caller: it never holds a secret or SQL text. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly reason: string | undefined
  readonly details: string | undefined
  readonly hint: string | undefined
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.reason = options.reason
    this.details = options.details
    this.hint = options.hint
    this.retryAfter = options.retryAfter
  }
}

/** Turns whatever was thrown into an Error, keeping it when it is one. */
export const toError = (thrown: unknown): Error =>
  thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown })

/** The end of an exhaustive switch: compiles only when every case was handled. */
export const assertNever = (value: never): never => {
  throw new AppError('internal', `unhandled case: ${JSON.stringify(value)}`)
}
