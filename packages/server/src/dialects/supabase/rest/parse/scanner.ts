/** A cursor over one query parameter. Every parser here moves it forward only: linear time, bounded depth. */
import { RestError } from '../errors.ts'

/** How deep conditions may nest. */
export const MAX_DEPTH = 50

/** A parse error in PostgREST's form: what was parsed, where it stopped, what it expected. */
export const syntaxError = (what: string, text: string, column: number, details: string): RestError =>
  new RestError(400, {
    code: 'PGRST100',
    message: `"failed to parse ${what} (${text})" (line 1, column ${column})`,
    details,
  })

// Letters of any script, digits, and the marks that Postgres allows in a name.
const NAME_CHAR = /[\p{L}\p{N}_ $]/u

export class Scanner {
  readonly #what: string
  readonly #text: string
  #at = 0

  constructor(what: string, text: string) {
    this.#what = what
    this.#text = text
  }

  get done(): boolean {
    return this.#at >= this.#text.length
  }

  get position(): number {
    return this.#at
  }

  /** The next character, empty at the end. */
  peek(offset = 0): string {
    return this.#text.charAt(this.#at + offset)
  }

  startsWith(expected: string): boolean {
    return this.#text.startsWith(expected, this.#at)
  }

  /** Moves past `expected` when it comes next. */
  take(expected: string): boolean {
    if (!this.startsWith(expected)) return false
    this.#at += expected.length
    return true
  }

  /** Moves past `expected` or refuses. */
  require(expected: string, expecting = JSON.stringify(expected)): void {
    if (!this.take(expected)) throw this.unexpected(expecting)
  }

  /** Moves back or forward to a position that was looked at before. */
  reset(position: number): void {
    this.#at = position
  }

  skipBlanks(): void {
    while (this.peek() === ' ') this.#at += 1
  }

  /** Everything that is left. */
  rest(): string {
    const text = this.#text.slice(this.#at)
    this.#at = this.#text.length
    return text
  }

  /** Where `wanted` comes next, or -1. */
  find(wanted: string): number {
    return this.#text.indexOf(wanted, this.#at)
  }

  /** Everything up to `end`. */
  until(end: number): string {
    const text = this.#text.slice(this.#at, end)
    this.#at = end
    return text
  }

  /** As many characters as `accepts`. */
  takeWhile(accepts: (char: string) => boolean): string {
    const start = this.#at
    while (this.#at < this.#text.length) {
      const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0)
      if (!accepts(char)) break
      this.#at += char.length
    }
    return this.#text.slice(start, this.#at)
  }

  /** `"…"` with backslash escapes; null when no quote comes next. */
  quoted(): string | null {
    if (this.peek() !== '"') return null
    this.#at += 1
    const parts: string[] = []
    while (!this.done) {
      const char = this.peek()
      if (char === '"') {
        this.#at += 1
        return parts.join('')
      }
      if (char === '\\') this.#at += 1
      parts.push(this.peek())
      this.#at += 1
    }
    throw this.unexpected('"\\""')
  }

  /** A name: quoted, or letters, digits, blanks, `_`, `$` and single dashes. */
  name(expecting = 'field name (* or [a..z0..9_$])'): string {
    const quoted = this.quoted()
    if (quoted !== null) return quoted
    const start = this.#at
    for (;;) {
      this.takeWhile((char) => NAME_CHAR.test(char))
      // A dash belongs to the name unless it begins an arrow.
      if (this.peek() !== '-' || this.peek(1) === '>' || this.#at === start || !NAME_CHAR.test(this.peek(1))) break
      this.#at += 1
    }
    const name = this.#text.slice(start, this.#at).trim()
    if (name === '') throw this.unexpected(expecting)
    return name
  }

  unexpected(expecting: string): RestError {
    const found = this.done ? 'unexpected end of input' : `unexpected ${JSON.stringify(this.peek())}`
    return syntaxError(this.#what, this.#text, this.#at + 1, `${found} expecting ${expecting}`)
  }

  /** Refuses anything that is left over. */
  finish(expecting: string): void {
    if (!this.done) throw this.unexpected(expecting)
  }

  tooDeep(limit = MAX_DEPTH): RestError {
    return syntaxError(this.#what, this.#text.slice(0, 100), this.#at + 1, `nested more than ${limit} levels deep`)
  }
}
