/** Failures that a test plans: error codes, silence, slowness, a torn connection, an answer that is no JSON. */

export type FaultKind = 'errcode' | 'status' | 'timeout' | 'slow' | 'reset' | 'garbage'

export const FAULT_KINDS: readonly FaultKind[] = ['errcode', 'status', 'timeout', 'slow', 'reset', 'garbage']

export interface FaultInput {
  readonly kind: FaultKind
  /** The path of a call, for example `/sns/jscode2session`; every call by default. */
  readonly path?: string
  /** How many calls fail; 1 by default, null until the faults are cleared. */
  readonly times?: number | null
  /** For `errcode`: -1 by default. */
  readonly errcode?: number
  /** For `status`: 502 by default. */
  readonly status?: number
  /** For `slow`, milliseconds: 1000 by default. */
  readonly delay?: number
}

export interface Fault {
  readonly kind: FaultKind
  readonly path: string
  times: number | null
  readonly errcode: number
  readonly status: number
  readonly delay: number
}

export class Faults {
  #planned: Fault[] = []

  plan(input: FaultInput): Fault {
    const fault: Fault = { path: '*', times: 1, errcode: -1, status: 502, delay: 1000, ...input }
    this.#planned.push(fault)
    return fault
  }

  /** The fault that this call meets, if any; uses it up by one. */
  take(path: string): Fault | undefined {
    const fault = this.#planned.find((each) => each.path === '*' || each.path === path)
    if (fault === undefined || fault.times === null) return fault
    fault.times -= 1
    if (fault.times <= 0) this.#planned = this.#planned.filter((each) => each !== fault)
    return fault
  }

  all(): readonly Fault[] {
    return this.#planned
  }

  clear(): void {
    this.#planned = []
  }
}
