/** Whether one condition being true makes another one true. Answers 'yes' only when sure. */
import type { Compare, Expr, Field, Operand } from './ast.ts'
import { conjuncts, disjuncts } from './fold.ts'
import { type Comparison, comparisonOf } from './values.ts'

/** Bounds the work on nested disjunctions: past it the answer is 'unknown', which is always safe. */
const MAX_STEPS = 10_000

export const implies = (premise: Expr, conclusion: Expr): 'yes' | 'unknown' =>
  new Prover().proves(premise, conclusion) ? 'yes' : 'unknown'

class Prover {
  #steps = 0

  proves(premise: Expr, conclusion: Expr): boolean {
    this.#steps += 1
    if (this.#steps > MAX_STEPS) return false
    if (conclusion.kind === 'constant' && conclusion.value === true) return true
    if (premise.kind === 'constant' && premise.value !== true) return true
    if (premise.kind === 'or') return premise.items.every((item) => this.proves(item, conclusion))
    if (conclusion.kind === 'and') return conclusion.items.every((item) => this.proves(premise, item))
    const known = conjuncts(premise)
    const alternatives = disjuncts(conclusion)
    if (known.some((fact) => alternatives.some((wanted) => factProves(fact, wanted)))) return true
    // A disjunction among the facts proves it when each of its branches does, together with nothing else.
    return known.some((fact) => fact.kind === 'or' && this.proves(fact, conclusion))
  }
}

const factProves = (fact: Expr, wanted: Expr): boolean => {
  if (sameExpr(fact, wanted)) return true
  if (fact.kind === 'constant') return fact.value !== true
  if (fact.kind !== 'compare' || wanted.kind !== 'compare') return false
  if (fact.left.kind !== 'field' || !sameOperand(fact.left, wanted.left)) return false
  return leafProves(fact, wanted, fact.left)
}

const STRICT = new Set(['eq', 'neq', 'gt', 'gte', 'lt', 'lte', 'in', 'like', 'ilike', 'match', 'imatch'])

const leafProves = (fact: Compare, wanted: Compare, left: Field): boolean => {
  if (wanted.operator === 'is' && wanted.right.kind === 'value' && wanted.right.text === 'not_null') {
    return STRICT.has(fact.operator) && fact.quantifier === undefined
  }
  if (left.type === null || left.path.length > 0 || fact.quantifier || wanted.quantifier) return false
  const comparison = comparisonOf(left.type)
  if (comparison === undefined) return false
  const possible = valuesOf(fact)
  return possible === null
    ? rangeProves(fact, wanted, comparison)
    : possible.every((text) => satisfies(text, wanted, comparison))
}

/** The values that the field can have when the fact holds, if they are few and known. */
const valuesOf = (fact: Compare): readonly string[] | null => {
  if (fact.operator === 'in' && fact.right.kind === 'list') return fact.right.values
  if (fact.operator === 'eq' && fact.right.kind === 'value' && fact.right.text !== null) return [fact.right.text]
  return null
}

const satisfies = (text: string, wanted: Compare, comparison: Comparison): boolean => {
  const key = comparison.key(text)
  if (key === undefined) return false
  if (wanted.operator === 'in' && wanted.right.kind === 'list') {
    return wanted.right.values.some((each) => comparison.key(each) === key)
  }
  if (wanted.right.kind !== 'value' || wanted.right.text === null) return false
  const other = comparison.key(wanted.right.text)
  if (other === undefined) return false
  if (wanted.operator === 'eq') return key === other
  if (wanted.operator === 'neq' || wanted.operator === 'isdistinct') return key !== other
  return ordered(comparison.order?.(text), wanted.operator, comparison.order?.(wanted.right.text))
}

const ordered = (left: bigint | undefined, operator: string, right: bigint | undefined): boolean => {
  if (left === undefined || right === undefined) return false
  switch (operator) {
    case 'gt':
      return left > right
    case 'gte':
      return left >= right
    case 'lt':
      return left < right
    case 'lte':
      return left <= right
    default:
      return false
  }
}

/** `x > 5` proves `x > 3`, `x >= 5` and `x <> 4`. */
const rangeProves = (fact: Compare, wanted: Compare, { order }: Comparison): boolean => {
  if (fact.right.kind !== 'value' || wanted.right.kind !== 'value' || order === undefined) return false
  const [bound, limit] = [order(fact.right.text ?? ''), order(wanted.right.text ?? '')]
  if (bound === undefined || limit === undefined) return false
  const up = fact.operator === 'gt' || fact.operator === 'gte'
  const down = fact.operator === 'lt' || fact.operator === 'lte'
  const excluded = fact.operator === 'gt' || fact.operator === 'lt'
  const beyond = up ? bound > limit : down && bound < limit
  switch (wanted.operator) {
    case 'gt':
      return up && (beyond || (bound === limit && excluded))
    case 'gte':
      return up && (beyond || bound === limit)
    case 'lt':
      return down && (beyond || (bound === limit && excluded))
    case 'lte':
      return down && (beyond || bound === limit)
    case 'neq':
      return beyond || (bound === limit && excluded && (up || down))
    default:
      return false
  }
}

/** Structural equality. */
export const sameExpr = (a: Expr, b: Expr): boolean => JSON.stringify(a) === JSON.stringify(b)

const sameOperand = (a: Operand, b: Operand): boolean => JSON.stringify(a) === JSON.stringify(b)
