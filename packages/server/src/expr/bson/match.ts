/** The JavaScript back end of document conditions: the exact meaning, which the SQL back end is tested against. Pure. */
import { compareValues, equalValues, rankOf } from './compare.ts'
import { matchesGeo } from './geo.ts'
import { reach } from './path.ts'
import type { DocExpr, Leaf, RangeOperator, Test } from './query.ts'
import { matchesPattern, samePattern } from './regex.ts'
import {
  type Doc,
  Extreme,
  isArray,
  isDoc,
  isNumber,
  numberKind,
  Regex,
  toBigInt,
  toNumber,
  typeName,
  type Value,
} from './value.ts'

/** Whether a document satisfies a condition. */
export const matches = (expr: DocExpr, value: Value | undefined): boolean => {
  switch (expr.kind) {
    case 'constant':
      return expr.value
    case 'and':
      return expr.items.every((item) => matches(item, value))
    case 'or':
      return expr.items.some((item) => matches(item, value))
    case 'not':
      return !matches(expr.item, value)
    case 'leaf':
      return matchesLeaf(expr, value)
  }
}

const matchesLeaf = ({ path, test }: Leaf, value: Value | undefined): boolean => {
  if (test.op === 'custom') return isDoc(value) && test.matches(value)
  // At the empty path it is the value itself that is meant.
  const whole = test.op === 'size' || test.op === 'elements' || path.length === 0
  return reach(value, path, !whole).some((each) => holds(test, each))
}

const holds = (test: Exclude<Test, { op: 'custom' }>, value: Value | undefined): boolean => {
  switch (test.op) {
    case 'eq':
      return equalValues(value, test.value)
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return inRange(test.op, value, test.value)
    case 'in':
      return (
        test.values.some((each) => equalValues(value, each)) ||
        test.patterns.some((pattern) => matchesText(value, pattern))
      )
    case 'exists':
      return value !== undefined
    case 'type':
      return test.types.some((type) => hasType(value, type))
    case 'mod':
      return hasRemainder(value, test.divisor, test.remainder)
    case 'regex':
      return matchesText(value, test.pattern)
    case 'size':
      return isArray(value) && value.length === test.size
    case 'elements':
      return isArray(value) && value.some((each) => isElement(each, test.of) && matches(test.where, each))
    case 'geo':
      return matchesGeo(test.geo, value)
  }
}

const isElement = (value: Value, of: 'document' | 'value'): boolean => of === 'value' || isDoc(value) || isArray(value)

const matchesText = (value: Value | undefined, pattern: Parameters<typeof matchesPattern>[0]): boolean =>
  typeof value === 'string'
    ? matchesPattern(pattern, value)
    : value instanceof Regex && samePattern(pattern, value.pattern, value.options)

const isNaNumber = (value: Value | undefined): boolean => isNumber(value) && Number.isNaN(toNumber(value))

/** Comparison within one type; null and what is missing are one. NaN is neither more nor less than another number. */
export const inRange = (operator: RangeOperator, value: Value | undefined, bound: Value): boolean => {
  if (!(bound instanceof Extreme)) {
    if (rankOf(value) !== rankOf(bound)) return false
    if (isNaNumber(value) !== isNaNumber(bound)) return false
  }
  const order = compareValues(value, bound)
  if (operator === 'gt') return order > 0
  if (operator === 'gte') return order >= 0
  return operator === 'lt' ? order < 0 : order <= 0
}

const hasType = (value: Value | undefined, type: string): boolean =>
  type === 'number' ? isNumber(value) : value !== undefined && typeName(value) === type

const hasRemainder = (value: Value | undefined, divisor: number, remainder: number): boolean => {
  if (!isNumber(value)) return false
  if (numberKind(value) === 'long') return (toBigInt(value) ?? 0n) % BigInt(divisor) === BigInt(remainder)
  // 0 and -0 are the same remainder.
  return Number.isFinite(toNumber(value)) && Math.trunc(toNumber(value)) % divisor === remainder
}

/** Whether a document satisfies every condition, for callers that hold several. */
export const matchesAll = (exprs: readonly DocExpr[], doc: Doc): boolean => exprs.every((expr) => matches(expr, doc))
