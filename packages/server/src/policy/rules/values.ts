/** What security rules compute with: null and missing are the same, and a date counts as its milliseconds. The same as `bson.rule_*` in the database. Pure. */
import { compareValues, equalValues } from '../../expr/bson/compare.ts'
import {
  DateTime,
  Double,
  double,
  fieldOf,
  isArray,
  isDoc,
  isNumber,
  Long,
  toNumber,
  type Value,
} from '../../expr/bson/value.ts'

/** A value, or nothing. */
export type RuleValue = Value | undefined

const plain = (value: RuleValue): RuleValue => (value instanceof DateTime ? value.millis : value)

export const isTrue = (value: RuleValue): boolean => {
  if (value === undefined || value === null || value === false || value === '') return false
  return !(isNumber(value) && toNumber(value) === 0)
}

export const textOf = (value: RuleValue): string => {
  const known = plain(value)
  if (known === undefined || known === null) return 'null'
  if (known instanceof Long) return String(known.value)
  if (isNumber(known)) return String(toNumber(known))
  return typeof known === 'object' ? 'null' : String(known)
}

export const memberOf = (value: RuleValue, name: string): RuleValue => {
  if (isDoc(value)) return fieldOf(value, name)
  if (name !== 'length') return undefined
  if (typeof value === 'string') return [...value].length
  return isArray(value) ? value.length : undefined
}

export const elementOf = (value: RuleValue, index: RuleValue): RuleValue => {
  if (isArray(value)) return isNumber(index) ? value[toNumber(index)] : undefined
  return isDoc(value) ? fieldOf(value, textOf(index)) : undefined
}

/** `==`, `!=`, `in` and the four orders, which hold only between two numbers or two texts. */
export const compare = (left: RuleValue, sign: string, right: RuleValue): boolean => {
  const [a, b] = [plain(left), plain(right)]
  if (sign === '==') return equalValues(a, b)
  if (sign === '!=') return !equalValues(a, b)
  if (sign === 'in') {
    if (isArray(b)) return b.some((each) => equalValues(plain(each), a))
    return isDoc(b) && typeof a === 'string' && Object.hasOwn(b, a)
  }
  const comparable = (isNumber(a) && isNumber(b)) || (typeof a === 'string' && typeof b === 'string')
  if (!comparable) return false
  const order = compareValues(a, b)
  if (sign === '<') return order < 0
  if (sign === '<=') return order <= 0
  return sign === '>' ? order > 0 : order >= 0
}

export const compute = (left: RuleValue, sign: string, right: RuleValue): RuleValue => {
  const [a, b] = [plain(left), plain(right)]
  if (sign === '+' && (typeof a === 'string' || typeof b === 'string')) return textOf(a) + textOf(b)
  if (!isNumber(a) || !isNumber(b)) return undefined
  const [x, y] = [toNumber(a), toNumber(b)]
  if ((sign === '/' || sign === '%') && y === 0) return undefined
  const result = double(arithmetic(x, sign, y))
  return result instanceof Double ? result.value : result
}

const arithmetic = (x: number, sign: string, y: number): number => {
  switch (sign) {
    case '+':
      return x + y
    case '-':
      return x - y
    case '*':
      return x * y
    case '/':
      return x / y
    default:
      return x % y
  }
}
