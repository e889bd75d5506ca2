/** What all sockets of the endpoint share, so that a socket and a channel keep one reference to it and nothing of their own that could be shared. */
import type { ChangeDispatch } from './change-dispatch.ts'
import type { SharedFrames } from './frames.ts'
import type { JoinRequest } from './join.ts'
import type { RealtimeLimits } from './limits.ts'
import type { Rechecks } from './rechecks.ts'
import type { RealtimeServices } from './services.ts'

export interface Ground {
  readonly services: RealtimeServices
  readonly limits: RealtimeLimits
  readonly frames: SharedFrames
  readonly dispatch: ChangeDispatch
  readonly rechecks: Rechecks
  readonly requests: SharedRequests
  /** Sockets that are open. */
  sockets: number
}

const MAX_SHARED = 1000
const MAX_TEXTS = 8

/** Thousands of clients of one app ask for the same in the same words: what they ask for is kept once. */
export class SharedRequests {
  readonly #byText = new Map<string, JoinRequest>()

  readonly #texts = new Set<string>()

  /** One copy of a text that many send, for example the public key. */
  text(value: string): string {
    for (const known of this.#texts) if (known === value) return known
    if (this.#texts.size >= MAX_TEXTS) this.#texts.clear()
    this.#texts.add(value)
    return value
  }

  /** An equal request that is known already, or this one. */
  share(request: JoinRequest): JoinRequest {
    const text = JSON.stringify(request)
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    if (this.#byText.size >= MAX_SHARED) this.#byText.clear()
    this.#byText.set(text, request)
    return request
  }
}
