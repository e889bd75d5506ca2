/** The Server-Timing header: how long each stage of a request took. */
import type { HttpAnswer } from './respond.ts'

export class Timing {
  readonly #enabled: boolean
  readonly #stages: string[] = ['jwt;dur=0.0']
  #last: number

  constructor(enabled: boolean) {
    this.#enabled = enabled
    this.#last = enabled ? performance.now() : 0
  }

  /** Ends a stage. */
  mark(stage: 'parse' | 'plan' | 'transaction' | 'response'): void {
    if (!this.#enabled) return
    const now = performance.now()
    this.#stages.push(`${stage};dur=${(now - this.#last).toFixed(1)}`)
    this.#last = now
  }

  /** For an answer that is made in one piece: planned, asked for and written at once. */
  whole(answer: HttpAnswer): HttpAnswer {
    for (const stage of ['plan', 'transaction', 'response'] as const) this.mark(stage)
    return this.on(answer)
  }

  on(answer: HttpAnswer): HttpAnswer {
    if (!this.#enabled) return answer
    return { ...answer, headers: [...answer.headers, ['Server-Timing', this.#stages.join(', ')]] }
  }
}
