/** What a function is asked, and what came of it. */
import type { Caller } from '../identity/caller.ts'

/** Why a function runs. */
export type Trigger = 'client' | 'function' | 'http' | 'timer'

export interface HttpEvent {
  readonly method: string
  /** The whole address, as the client knows it. */
  readonly url: string
  /** What follows the function's own address; `/` for the address itself. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** Base64. */
  readonly body: string
  readonly ip: string
}

export interface Invocation {
  readonly name: string
  /** Null for a timer. */
  readonly caller: Caller | null
  readonly trigger: Trigger
  /** JSON text of the event; empty for none. Ignored when `http` is set. */
  readonly event: string
  readonly http?: HttpEvent
  /** Variables of this invocation only, for example who calls. */
  readonly env?: Readonly<Record<string, string>>
}

/** Why there is no answer. */
export type FailureReason =
  | 'thrown' // the function threw
  | 'load_failed' // its code could not be loaded
  | 'timeout' // it took longer than its limit
  | 'memory' // it used more than its limit
  | 'crashed' // its process ended
  | 'too_large' // its reply was larger than is allowed
  | 'busy' // too many invocations waited

export interface Failure {
  readonly kind: 'failed'
  readonly reason: FailureReason
  /** The class of the error, for example `TypeError`. */
  readonly name: string
  readonly message: string
  /** For whoever owns the function, never for its callers. */
  readonly stack: string
}

export type Answer =
  /** JSON text of what the function returned. */
  | { readonly kind: 'result'; readonly json: string }
  /** What the function answered over HTTP. */
  | {
      readonly kind: 'response'
      readonly status: number
      readonly headers: readonly (readonly [string, string])[]
      readonly body: Buffer
    }
  | Failure

export interface Outcome {
  readonly answer: Answer
  readonly id: string
  readonly version: number
  readonly milliseconds: number
}

export interface LogEntry {
  readonly invocation: string
  readonly at: Date
  readonly level: string
  readonly message: string
}

export const failure = (
  reason: FailureReason,
  message: string,
  error: { name?: string; stack?: string } = {},
): Failure => ({
  kind: 'failed',
  reason,
  name: error.name ?? 'Error',
  message,
  stack: error.stack ?? '',
})
