/** Collects what is wrong with a project while it is built; building goes on, as it does in DevTools. */
import type { BuildProblem } from '../framework/bundle.ts'

export class Problems {
  readonly #list: BuildProblem[] = []

  error(file: string, message: string): void {
    this.#add('error', file, message)
  }

  warning(file: string, message: string): void {
    this.#add('warning', file, message)
  }

  get list(): readonly BuildProblem[] {
    return this.#list
  }

  #add(level: BuildProblem['level'], file: string, message: string): void {
    if (!this.#list.some((one) => one.file === file && one.message === message))
      this.#list.push({ level, file, message })
  }
}
