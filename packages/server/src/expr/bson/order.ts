/** The order of whole documents: by several paths, each up or down; the same as `bson.sort_key` in the database. Pure. */
import { compareValues } from './compare.ts'
import { reach } from './path.ts'
import { type Doc, Extreme, isArray, type Value } from './value.ts'

export interface OrderTerm {
  readonly path: readonly string[]
  readonly direction: 1 | -1
}

/** An empty array comes before everything that is stored. */
const EMPTY = new Extreme('min')

/** What a document sorts by: the smallest element of an array going up, the greatest going down. */
export const sortValue = (doc: Doc, { path, direction }: OrderTerm): Value => {
  const values = reach(doc, path, false).flatMap((each) =>
    isArray(each) ? (each.length === 0 ? [EMPTY] : each) : [each ?? null],
  )
  const [first = null, ...others] = values
  return others.reduce((best: Value, each) => (compareValues(each, best) * direction < 0 ? each : best), first)
}

/** Negative when `a` comes first. Zero leaves the order to the caller: insertion order. */
export const compareDocuments = (terms: readonly OrderTerm[]): ((a: Doc, b: Doc) => number) => {
  return (a, b) => {
    for (const term of terms) {
      const order = compareValues(sortValue(a, term), sortValue(b, term)) * term.direction
      if (order !== 0) return order
    }
    return 0
  }
}
