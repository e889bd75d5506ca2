/** Index keys of a condition: columns that must have one of a few values for it to be true. */
import type { Compare, Expr } from './ast.ts'
import { conjuncts, disjuncts } from './fold.ts'
import { comparisonOf } from './values.ts'

/** The condition can only be true for rows whose `column` has one of `keys` (canonical forms, see `comparisonOf`). */
export interface Anchor {
  readonly column: string
  readonly keys: readonly string[]
}

/** All anchors of a condition; the caller takes the most selective. Empty when nothing narrows it down. */
export const anchorsOf = (expr: Expr): readonly Anchor[] => {
  if (expr.kind === 'or') return commonAnchors(disjuncts(expr).map(anchorsOf))
  return conjuncts(expr).flatMap((item) => {
    if (item.kind === 'or') return anchorsOf(item)
    return item.kind === 'compare' ? leafAnchor(item) : []
  })
}

const leafAnchor = ({ operator, left, right, quantifier }: Compare): readonly Anchor[] => {
  if (left.kind !== 'field' || left.depth !== 0 || left.path.length > 0 || left.type === null || quantifier) return []
  const texts = operator === 'eq' && right.kind === 'value' ? [right.text] : right.kind === 'list' ? right.values : []
  if (texts.length === 0 || (operator !== 'eq' && operator !== 'in')) return []
  const comparison = comparisonOf(left.type)
  const keys = texts.map((text) => (text === null ? undefined : comparison?.key(text)))
  const known = keys.filter((key) => key !== undefined)
  return known.length < keys.length ? [] : [{ column: left.name, keys: [...new Set(known)] }]
}

/** A disjunction is anchored on a column when each of its branches is. */
const commonAnchors = (branches: readonly (readonly Anchor[])[]): readonly Anchor[] => {
  const [first = [], ...others] = branches
  return first.flatMap((anchor) => {
    const same = others.map((branch) => branch.find((each) => each.column === anchor.column))
    if (same.includes(undefined)) return []
    return [{ column: anchor.column, keys: [...new Set([anchor, ...same].flatMap((each) => each?.keys ?? []))] }]
  })
}
