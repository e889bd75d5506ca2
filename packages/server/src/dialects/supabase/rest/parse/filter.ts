/** Filters: `not.eq.5`, `in.(a,"b,c")`, `like(any).{…}`, and trees `(a.eq.1,or(…))`. */
import { and, type Compare, type Expr, type Field, field, not, or, type SqlOperator } from '../../../../expr/ast.ts'
import type { ParsedField } from './field.ts'
import { parseField } from './field.ts'
import { reworded } from './refusals.ts'
import { MAX_DEPTH, Scanner } from './scanner.ts'

/** Operators that take `(any)` and `(all)`. */
const QUANTIFIABLE: Readonly<Record<string, SqlOperator>> = {
  eq: 'eq',
  gte: 'gte',
  gt: 'gt',
  lte: 'lte',
  lt: 'lt',
  like: 'like',
  ilike: 'ilike',
  match: 'match',
  imatch: 'imatch',
}

const PLAIN: Readonly<Record<string, SqlOperator>> = {
  neq: 'neq',
  cs: 'contains',
  cd: 'contained',
  ov: 'overlaps',
  sl: 'strictlyLeft',
  sr: 'strictlyRight',
  nxr: 'notExtendsRight',
  nxl: 'notExtendsLeft',
  adj: 'adjacent',
  isdistinct: 'isdistinct',
}

const SEARCH: Readonly<Record<string, SqlOperator>> = {
  fts: 'fts',
  plfts: 'plainFts',
  phfts: 'phraseFts',
  wfts: 'webFts',
}

const known = (table: Readonly<Record<string, SqlOperator>>, name: string): SqlOperator | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** Whether a value of a function call's query looks like a filter on its result rather than an argument. */
export const looksLikeFilter = (value: string): boolean => {
  const [first = '', second] = value.split('.', 2)
  if (second === undefined) return false
  const name = /^(\w+)(?:\(\w*\))?$/.exec(first)?.[1] ?? ''
  return (
    name === 'not' ||
    name === 'is' ||
    name === 'in' ||
    [QUANTIFIABLE, PLAIN, SEARCH].some((table) => known(table, name) !== undefined)
  )
}

/** The filter of one query parameter. */
export const parseFilter = (target: ParsedField, text: string): Expr =>
  reworded('filter', text, () => {
    const scanner = new Scanner('filter', text)
    const expr = parseOperation(scanner, target, (operand) => operand.rest())
    scanner.finish('end of input')
    return expr
  })

/** A tree: `(a.eq.1,and(…))` under `and` or `or`. */
export const parseTree = (operator: 'and' | 'or', negated: boolean, text: string): Expr => {
  const parse = () => {
    const scanner = new Scanner('logic tree', text)
    scanner.skipBlanks()
    const expr = parseGroup(scanner, operator, 0)
    scanner.skipBlanks()
    scanner.finish('end of input')
    return negated ? not(expr) : expr
  }
  return reworded('logic tree', text, parse, operator)
}

const parseGroup = (scanner: Scanner, operator: 'and' | 'or', depth: number): Expr => {
  if (depth > MAX_DEPTH) throw scanner.tooDeep()
  scanner.require('(')
  const items: Expr[] = []
  do {
    scanner.skipBlanks()
    items.push(parseLeaf(scanner, depth))
    scanner.skipBlanks()
  } while (scanner.take(','))
  scanner.require(')', '"," or ")"')
  return operator === 'and' ? and(items) : or(items)
}

const parseLeaf = (scanner: Scanner, depth: number): Expr => {
  const start = scanner.position
  const negated = scanner.take('not.')
  for (const operator of ['and', 'or'] as const) {
    const before = scanner.position
    if (!scanner.take(operator)) continue
    scanner.skipBlanks()
    if (scanner.peek() === '(') {
      const group = parseGroup(scanner, operator, depth + 1)
      return negated ? not(group) : group
    }
    scanner.reset(before)
  }
  scanner.reset(start)
  const target = parseField(scanner)
  scanner.require('.')
  return parseOperation(scanner, target, nestedValue)
}

const OPERATORS = 'operator (eq, gt, ...)'

const parseOperation = (scanner: Scanner, target: ParsedField, readValue: (scanner: Scanner) => string): Expr => {
  const negated = scanner.take('not.')
  const start = scanner.position
  const name = scanner.takeWhile((char) => char >= 'a' && char <= 'z')
  const left: Field = field(target.name, null, target.path)
  const expr = operation(scanner, name, left, readValue)
  if (expr !== null) return negated ? { kind: 'not', item: expr } : expr
  scanner.reset(start)
  throw scanner.unexpected(negated ? OPERATORS : `"not" or ${OPERATORS}`)
}

const operation = (
  scanner: Scanner,
  name: string,
  left: Field,
  readValue: (scanner: Scanner) => string,
): Compare | null => {
  if (name === 'in') return scanner.take('.') ? leaf('in', left, { kind: 'list', values: parseList(scanner) }) : null
  if (name === 'is') return scanner.take('.') ? leaf('is', left, text(parseIs(scanner))) : null
  const search = known(SEARCH, name)
  if (search !== undefined) return parseSearch(scanner, search, left, readValue)
  const plain = known(PLAIN, name)
  if (plain !== undefined) return scanner.take('.') ? leaf(plain, left, text(readValue(scanner))) : null
  const operator = known(QUANTIFIABLE, name)
  if (operator === undefined) return null
  const quantifier = scanner.take('(any)') ? 'any' : scanner.take('(all)') ? 'all' : null
  if (!scanner.take('.')) return null
  const value = readValue(scanner)
  // A star stands for a percent sign, which a URL would have to escape.
  const pattern = operator === 'like' || operator === 'ilike' ? value.replaceAll('*', '%') : value
  const compared = leaf(operator, left, text(pattern))
  return quantifier === null ? compared : { ...compared, quantifier }
}

const text = (content: string): Compare['right'] => ({ kind: 'value', text: content })

const leaf = (operator: SqlOperator, left: Field, right: Compare['right']): Compare => ({
  kind: 'compare',
  semantics: 'sql',
  operator,
  left,
  right,
})

const parseSearch = (
  scanner: Scanner,
  operator: SqlOperator,
  left: Field,
  readValue: (scanner: Scanner) => string,
): Compare | null => {
  let language: string | null = null
  if (scanner.take('(')) {
    language = scanner.takeWhile((char) => /[\p{L}\p{N}_]/u.test(char))
    scanner.require(')')
  }
  if (!scanner.take('.')) return null
  const compared = leaf(operator, left, text(readValue(scanner)))
  return language === null ? compared : { ...compared, language }
}

const IS_VALUES = ['null', 'not_null', 'true', 'false', 'unknown']

const parseIs = (scanner: Scanner): string => {
  const start = scanner.position
  const word = scanner.takeWhile((char) => /[a-z_]/i.test(char)).toLowerCase()
  if (IS_VALUES.includes(word)) return word
  scanner.reset(start)
  throw scanner.unexpected('isVal: (null, not_null, true, false, unknown)')
}

const LIST_END = new Set([',', ')'])

const parseList = (scanner: Scanner): readonly string[] => {
  scanner.skipBlanks()
  scanner.require('(')
  const values: string[] = []
  do {
    scanner.skipBlanks()
    values.push(listElement(scanner))
  } while (scanner.take(','))
  scanner.require(')', '"," or ")"')
  scanner.skipBlanks()
  const [only] = values
  return values.length === 1 && only === '' ? [] : values
}

/** Quoted when the quotes enclose the whole element, else everything up to the comma. */
const listElement = (scanner: Scanner): string => {
  const start = scanner.position
  const quoted = scanner.peek() === '"' ? quotedOrNull(scanner) : null
  if (quoted !== null && (scanner.done || LIST_END.has(scanner.peek()))) return quoted
  scanner.reset(start)
  return scanner.takeWhile((char) => !LIST_END.has(char))
}

const quotedOrNull = (scanner: Scanner): string | null => {
  try {
    return scanner.quoted()
  } catch {
    return null
  }
}

/** A value inside a tree ends at a comma or parenthesis, unless it is quoted or an array in braces. */
const nestedValue = (scanner: Scanner): string => {
  const end = scanner.peek() === '{' ? scanner.find('}') : -1
  if (end === -1) return listElement(scanner)
  const start = scanner.position
  const body = scanner.until(end + 1)
  if (scanner.done || LIST_END.has(scanner.peek())) return body
  scanner.reset(start)
  return listElement(scanner)
}
