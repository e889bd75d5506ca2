/** Rewriting conditions: filling in parameters and types, and folding what is constant. Every rewrite keeps the three-valued result. */
import {
  and,
  type Compare,
  type Constant,
  type Expr,
  FALSE,
  type Field,
  not,
  type Operand,
  or,
  TRUE,
  UNKNOWN,
} from './ast.ts'

/** Applies `change` to every operand of every leaf, also inside `exists`. */
export const mapOperands = (expr: Expr, change: (operand: Operand) => Operand): Expr => {
  switch (expr.kind) {
    case 'constant':
      return expr
    case 'and':
      return { kind: 'and', items: expr.items.map((item) => mapOperands(item, change)) }
    case 'or':
      return { kind: 'or', items: expr.items.map((item) => mapOperands(item, change)) }
    case 'not':
      return { kind: 'not', item: mapOperands(expr.item, change) }
    case 'exists':
      return { ...expr, where: mapOperands(expr.where, change) }
    case 'compare':
      return { ...expr, left: change(expr.left), right: change(expr.right) }
  }
}

/** Gives every field of the row in question what `resolve` says of it. */
export const mapFields = (expr: Expr, resolve: (field: Field) => Field): Expr =>
  mapOperands(expr, (operand) => (operand.kind === 'field' ? resolve(operand) : operand))

/** Fills parameters in: undefined leaves one open, null is SQL null. */
export const bind = (expr: Expr, lookUp: (path: readonly string[]) => string | null | undefined): Expr =>
  fold(
    mapOperands(expr, (operand) => {
      if (operand.kind !== 'parameter') return operand
      const text = lookUp(operand.path)
      return text === undefined ? operand : { kind: 'value', text }
    }),
  )

/** Folds constants away. The result is constant whenever that can be told without a row. */
export const fold = (expr: Expr): Expr => {
  switch (expr.kind) {
    case 'constant':
      return expr
    case 'not':
      return foldNot(fold(expr.item))
    case 'and':
      return foldAnd(expr.items.map(fold))
    case 'or':
      return foldOr(expr.items.map(fold))
    case 'exists': {
      const where = fold(expr.where)
      return isNever(where) ? FALSE : { ...expr, where }
    }
    case 'compare':
      return foldCompare(expr)
  }
}

const isNever = (expr: Expr): boolean => expr.kind === 'constant' && expr.value !== true

const foldNot = (item: Expr): Expr => {
  if (item.kind !== 'constant') return not(item)
  return item.value === null ? UNKNOWN : item.value ? FALSE : TRUE
}

const foldAnd = (items: readonly Expr[]): Expr => {
  const known = items.filter((item): item is Constant => item.kind === 'constant')
  if (known.some((item) => item.value === false)) return FALSE
  const rest = items.filter((item) => item.kind !== 'constant')
  // Unknown and x is x's false or unknown: it stays, as it may still turn the whole false.
  return known.some((item) => item.value === null) ? and([UNKNOWN, ...rest]) : and(rest)
}

const foldOr = (items: readonly Expr[]): Expr => {
  const known = items.filter((item): item is Constant => item.kind === 'constant')
  if (known.some((item) => item.value === true)) return TRUE
  const rest = items.filter((item) => item.kind !== 'constant')
  return known.some((item) => item.value === null) ? or([UNKNOWN, ...rest]) : or(rest)
}

/** Operators that answer unknown as soon as one side is null. */
const isStrict = (expr: Compare): boolean => expr.operator !== 'is' && expr.operator !== 'isdistinct'

const foldCompare = (expr: Compare): Expr => {
  const { left, right } = expr
  const leftNull = left.kind === 'value' && left.text === null
  const rightNull = right.kind === 'value' && right.text === null
  if (isStrict(expr) && (leftNull || rightNull)) return UNKNOWN
  if (right.kind === 'list' && right.values.length === 0) return FALSE
  // Two constants as text: only the same text is sure to mean the same value.
  if (expr.operator === 'eq' && left.kind === 'value' && right.kind === 'value' && left.text === right.text) return TRUE
  return expr
}

/** The conditions that must all hold. */
export const conjuncts = (expr: Expr): readonly Expr[] => (expr.kind === 'and' ? expr.items : [expr])

/** The conditions of which one must hold. */
export const disjuncts = (expr: Expr): readonly Expr[] => (expr.kind === 'or' ? expr.items : [expr])
