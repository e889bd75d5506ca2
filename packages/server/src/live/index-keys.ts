/** Where a condition is registered in the index: under values of columns, so that a change finds its conditions without trying all of them. Pure. */
import { anchorsOf } from '../expr/anchors.ts'
import type { Expr } from '../expr/ast.ts'
import { conjuncts } from '../expr/fold.ts'

/** The condition can only hold for rows whose `column` has this canonical value. */
export interface IndexKey {
  readonly column: string
  readonly key: string
  /** Having this value makes the whole condition true: whoever is found here need not be tried. */
  readonly exact: boolean
}

/** Above this the bookkeeping costs more than trying the condition on every change. */
const MAX_KEYS = 1000

/** Keys that together cover every row for which the condition can hold; null when there are none and every row must be tried. */
export const indexKeys = (expr: Expr, isUnique: (column: string) => boolean): readonly IndexKey[] | null => {
  const keys = cover(expr, isUnique)
  return keys === null || keys.length > MAX_KEYS ? null : keys
}

const cover = (expr: Expr, isUnique: (column: string) => boolean): readonly IndexKey[] | null => {
  // Each branch of a disjunction is found under its own keys.
  if (expr.kind === 'or') {
    const branches = expr.items.map((item) => cover(item, isUnique))
    return branches.includes(null) ? null : branches.flatMap((branch) => branch ?? [])
  }
  let best: readonly IndexKey[] | null = null
  const consider = (keys: readonly IndexKey[] | null) => {
    if (keys !== null && (best === null || cost(keys, isUnique) < cost(best, isUnique))) best = keys
  }
  const exact = expr.kind === 'compare'
  for (const anchor of anchorsOf(expr)) consider(anchor.keys.map((key) => ({ column: anchor.column, key, exact })))
  for (const item of conjuncts(expr)) {
    // A part of a conjunction proves only itself.
    if (item.kind === 'or') consider(cover(item, isUnique)?.map((key) => ({ ...key, exact: false })) ?? null)
  }
  return best
}

/** A unique column leads to one row, any other to many: fewer keys only matter among equals. */
const cost = (keys: readonly IndexKey[], isUnique: (column: string) => boolean): number =>
  keys.reduce((sum, { column }) => sum + (isUnique(column) ? 1 : 100), 0)
