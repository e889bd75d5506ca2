/** The JavaScript back end: a condition as a function of one row, only where it provably agrees with Postgres. Three-valued. */
import type { Compare, Expr, Field, FieldType, Operand } from './ast.ts'
import { comparisonOf } from './values.ts'

/** A column's value in Postgres's text form (ISO dates, any time zone); null is SQL null, undefined an unknown one (an unchanged TOAST value). */
export type RowText = (column: string) => string | null | undefined

/** True, false, or null for SQL's unknown; 'unsupported' when this row's values need Postgres. */
export type Verdict = boolean | null | 'unsupported'

export type Predicate = (row: RowText) => Verdict

/** Compiles, or answers 'unsupported' when some leaf is Postgres's to decide. */
export const toPredicate = (expr: Expr): Predicate | 'unsupported' => {
  switch (expr.kind) {
    case 'constant':
      return () => expr.value
    case 'exists':
      return 'unsupported'
    case 'not': {
      const inner = toPredicate(expr.item)
      return inner === 'unsupported' ? inner : (row) => negate(inner(row))
    }
    case 'and':
    case 'or': {
      const parts = expr.items.map(toPredicate)
      const known = parts.filter((part) => part !== 'unsupported')
      if (known.length < parts.length) return 'unsupported'
      return (row) => combine(known, row, expr.kind === 'or')
    }
    case 'compare':
      return comparePredicate(expr)
  }
}

const negate = (verdict: Verdict): Verdict => (typeof verdict === 'boolean' ? !verdict : verdict)

/** And (decided by the first false) or or (decided by the first true). */
const combine = (parts: readonly Predicate[], row: RowText, decisive: boolean): Verdict => {
  let result: Verdict = !decisive
  for (const part of parts) {
    const verdict = part(row)
    if (verdict === decisive) return decisive
    if (verdict === 'unsupported') result = verdict
    else if (verdict === null && result !== 'unsupported') result = null
  }
  return result
}

const comparePredicate = (expr: Compare): Predicate | 'unsupported' => {
  const { left, right, operator } = expr
  if (left.kind !== 'field' || left.depth !== 0 || left.path.length > 0 || left.type === null) return 'unsupported'
  if (expr.quantifier !== undefined) return 'unsupported'
  if (operator === 'is') return right.kind === 'value' ? isPredicate(left, right.text) : 'unsupported'
  if (operator === 'in') return right.kind === 'list' ? inPredicate(left, left.type, right.values) : 'unsupported'
  return binaryPredicate(left, left.type, operator, right)
}

const IS_BOOLEAN: Readonly<Record<string, string>> = { true: 't', false: 'f' }

const isPredicate = (field: Field, what: string | null): Predicate | 'unsupported' => {
  if (what === null || what === 'null') return (row) => onValue(row(field.name), (text) => text === null)
  if (what === 'not_null') return (row) => onValue(row(field.name), (text) => text !== null)
  if (field.type?.name !== 'boolean') return 'unsupported'
  if (what === 'unknown') return (row) => onValue(row(field.name), (text) => text === null)
  const wanted = IS_BOOLEAN[what]
  return wanted === undefined ? 'unsupported' : (row) => onValue(row(field.name), (text) => text === wanted)
}

const onValue = (text: string | null | undefined, test: (text: string | null) => Verdict): Verdict =>
  text === undefined ? 'unsupported' : test(text)

const inPredicate = (field: Field, type: FieldType, values: readonly string[]): Predicate | 'unsupported' => {
  const comparison = comparisonOf(type)
  const keys = values.map((text) => comparison?.key(text))
  if (comparison === undefined || keys.includes(undefined)) return 'unsupported'
  const wanted = new Set(keys)
  return (row) =>
    onValue(row(field.name), (text) => {
      if (text === null) return null
      const key = comparison.key(text)
      return key === undefined ? 'unsupported' : wanted.has(key)
    })
}

type Test = (left: string, right: string) => Verdict

const ORDERED = { gt: [1], gte: [0, 1], lt: [-1], lte: [-1, 0] } as const

/** What decides one comparison of two non-null texts; undefined when the type or the operator is Postgres's. */
const testOf = (type: FieldType, operator: Compare['operator']): Test | undefined => {
  const comparison = comparisonOf(type)
  if (comparison === undefined) return undefined
  if (operator === 'eq' || operator === 'neq' || operator === 'isdistinct') {
    return (left, right) => {
      const [a, b] = [comparison.key(left), comparison.key(right)]
      return a === undefined || b === undefined ? 'unsupported' : (a === b) === (operator === 'eq')
    }
  }
  const { order } = comparison
  if (order === undefined || !(operator in ORDERED)) return undefined
  const signs: readonly number[] = ORDERED[operator as keyof typeof ORDERED]
  return (left, right) => {
    const [a, b] = [order(left), order(right)]
    return a === undefined || b === undefined ? 'unsupported' : signs.includes(a < b ? -1 : a > b ? 1 : 0)
  }
}

const binaryPredicate = (
  field: Field,
  type: FieldType,
  operator: Compare['operator'],
  right: Operand,
): Predicate | 'unsupported' => {
  const test = testOf(type, operator)
  const other = readerOf(right, type)
  if (test === undefined || other === undefined) return 'unsupported'
  return (row) => {
    const [a, b] = [row(field.name), other(row)]
    if (a === undefined || b === undefined) return 'unsupported'
    if (operator === 'isdistinct' && (a === null || b === null)) return a !== b
    return a === null || b === null ? null : test(a, b)
  }
}

/** The right side of a comparison: a constant that the type reads as we do, or another column of the same type. */
const readerOf = (operand: Operand, type: FieldType): RowReader | undefined => {
  if (operand.kind === 'value') {
    const { text } = operand
    if (text !== null && comparisonOf(type)?.key(text) === undefined) return undefined
    return () => text
  }
  const usable = operand.kind === 'field' && operand.depth === 0 && operand.path.length === 0
  if (!usable || operand.type?.name !== type.name || operand.type.collation !== type.collation) return undefined
  return (row) => row(operand.name)
}

type RowReader = (row: RowText) => string | null | undefined
