/** What Headers, FormData and URLSearchParams have in common: a list of names with values, and the ways to look at it. */
import { typeError } from './errors.ts'

/** The iterators are live, as the standards have them, and without generators, which cost ES5 a helper. */
function iterate<Item>(at: (index: number) => Item | undefined): IterableIterator<Item> {
  let index = 0
  return {
    next: () => {
      const value = at(index++)
      return value === undefined ? { value: undefined, done: true } : { value, done: false }
    },
    [Symbol.iterator]() {
      return this
    },
  }
}

/** The pairs of an object, or of a list of lists of two. */
export function pairsIn(init: object): [unknown, unknown][] {
  if (!(Symbol.iterator in init)) return Object.keys(init).map((name) => [name, Reflect.get(init, name)])
  // Anything iterable: another make's headers, a Map.
  return Array.from(init as Iterable<unknown>).map((item) => {
    const pair: unknown[] =
      typeof item === 'object' && item !== null && Symbol.iterator in item ? Array.from(item as Iterable<unknown>) : []
    if (pair.length !== 2) throw typeError('each pair must have two items')
    return [pair[0], pair[1]]
  })
}

/** In code units, as the standards sort names. */
export const byName = (a: readonly [string, unknown], b: readonly [string, unknown]): number =>
  a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0

/** A list of pairs. Names and values are made fit by the kind of list. */
export abstract class Pairs<Value, Given = Value> {
  _pairs: [name: string, value: Value][] = []
  abstract _name(name: unknown): string
  abstract _value(value: Given, filename?: string): Value
  /** Called after every change. */
  _changed(): void {}

  /** What is iterated. */
  _list(): [string, Value][] {
    return this._pairs
  }

  append(name: string, value: Given, filename?: string): void {
    this._pairs.push([this._name(name), this._value(value, filename)])
    this._changed()
  }

  delete(name: string): void {
    const key = this._name(name)
    this._keep((pair) => pair[0] !== key)
  }

  get(name: string): Value | null {
    return this.getAll(name)[0] ?? null
  }

  getAll(name: string): Value[] {
    const key = this._name(name)
    return this._pairs.filter((pair) => pair[0] === key).map((pair) => pair[1])
  }

  has(name: string): boolean {
    return this.getAll(name).length > 0
  }

  /** In the place of the first of this name, without the others. */
  set(name: string, value: Given, filename?: string): void {
    const made: [string, Value] = [this._name(name), this._value(value, filename)]
    const at = this._pairs.findIndex((pair) => pair[0] === made[0])
    if (at < 0) this._pairs.push(made)
    else this._pairs[at] = made
    this._keep((pair) => pair[0] !== made[0] || pair === made)
  }

  forEach(callback: (value: Value, name: string, list: this) => void, self?: unknown): void {
    for (let at = 0; at < this._list().length; at++) {
      const pair = this._list()[at]
      if (pair) callback.call(self, pair[1], pair[0], this)
    }
  }

  entries(): IterableIterator<[string, Value]> {
    // A copy of a pair is a pair.
    return iterate((at) => this._list()[at]?.slice() as [string, Value] | undefined)
  }

  keys(): IterableIterator<string> {
    return iterate((at) => this._list()[at]?.[0])
  }

  values(): IterableIterator<Value> {
    return iterate((at) => this._list()[at]?.[1])
  }

  [Symbol.iterator](): IterableIterator<[string, Value]> {
    return this.entries()
  }

  _keep(isKept: (pair: [string, Value]) => boolean): void {
    this._pairs = this._pairs.filter(isKept)
    this._changed()
  }
}
