/** The SQL back end of document conditions: fragments that decide exactly as `match.ts` does, or 'unsupported'. */
import { type Fragment, frag, join, keyword } from '../../sql/sql.ts'
import { rankOf } from './compare.ts'
import { keyOf } from './key.ts'
import type { DocExpr, Leaf, RangeOperator, Test } from './query.ts'
import { patternSql } from './regex.ts'
import { Extreme, isNumber, toNumber, type Value } from './value.ts'

/** Where a path begins: SQL of a jsonb value, and the steps that are left inside it. */
export interface Root {
  readonly value: Fragment
  readonly path: readonly string[]
}

export interface DocSource {
  /** The value in which a path of the document begins. */
  root(path: readonly string[]): Root
  /** A faster way to test a field that has a column of its own; undefined for the general one. */
  column?(leaf: Leaf): Fragment | undefined
}

/** A jsonb value as the document in question. */
export const valueSource = (value: Fragment): DocSource => ({ root: (path) => ({ value, path }) })

/** True or false for every document, never null. */
export const docSql = (expr: DocExpr, source: DocSource): Fragment | 'unsupported' => compile(expr, source, 0)

const compile = (expr: DocExpr, source: DocSource, depth: number): Fragment | 'unsupported' => {
  switch (expr.kind) {
    case 'constant':
      return keyword(String(expr.value))
    case 'not': {
      const inner = compile(expr.item, source, depth)
      return inner === 'unsupported' ? inner : frag`not (${inner})`
    }
    case 'and':
    case 'or': {
      const items = expr.items.map((item) => compile(item, source, depth))
      const known = items.filter((item) => item !== 'unsupported')
      return known.length < items.length ? 'unsupported' : frag`(${join(known, ` ${expr.kind} `)})`
    }
    case 'leaf':
      return source.column?.(expr) ?? leafSql(expr, source, depth)
  }
}

const leafSql = ({ path, test }: Leaf, source: DocSource, depth: number): Fragment | 'unsupported' => {
  const { value, path: steps } = source.root(path)
  const found = (expand: boolean): Fragment =>
    // The empty path is the value itself, whole.
    path.length === 0 ? frag`array[${value}]` : frag`bson.reach(${value}, ${steps}::text[], ${keyword(String(expand))})`
  if (test.op === 'elements') return elementsSql(test, found(false), depth)
  if (test.op === 'size') return frag`bson.has_size(${found(false)}, ${test.size}::integer)`
  const general = testSql(test, found(true))
  const quick = path.length === 0 || steps.length !== 1 || general === 'unsupported' ? null : quickTest(test)
  if (general === 'unsupported' || quick === null) return general
  const field = frag`${value} -> ${steps[0] ?? ''}::text`
  // Arrays and tagged values take the general way; any other type than the one that is asked for cannot match.
  return frag`(case jsonb_typeof(${field}) when ${keyword(`'${quick.type}'`)} then ${quick.test(field)} when 'array' then ${general} when 'object' then ${general} else false end)`
}

/** A test of one plain value, without a function call: a text, a boolean or a whole number. */
const quickTest = (test: Test): { readonly type: string; readonly test: (field: Fragment) => Fragment } | null => {
  if (test.op !== 'eq' && !(test.op in SIGNS)) return null
  const operator = test.op as keyof typeof SIGNS // Just seen to be one of them.
  const value = 'value' in test ? test.value : null
  const sign = keyword(SIGNS[operator])
  if (typeof value === 'string') {
    return { type: 'string', test: (field) => frag`(${field}) #>> '{}' collate "C" ${sign} ${value}::text` }
  }
  if (typeof value === 'boolean' && operator === 'eq') {
    return { type: 'boolean', test: (field) => frag`${field} = ${String(value)}::jsonb` }
  }
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) return null
  return { type: 'number', test: (field) => frag`${field} ${sign} ${String(value)}::jsonb` }
}

const SIGNS = { eq: '=', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const

const testSql = (test: Exclude<Test, { op: 'elements' | 'size' }>, found: Fragment): Fragment | 'unsupported' => {
  switch (test.op) {
    case 'eq':
      return frag`bson.has(${found}, ${keyOf(test.value)}::bytea)`
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte': {
      const range = rangeOf(test.op, test.value)
      return range === null
        ? keyword('false')
        : frag`bson.has_between(${found}, ${range.low}::bytea, ${range.high}::bytea)`
    }
    case 'in': {
      const any = frag`bson.has_any(${found}, ${test.values.map(keyOf)}::bytea[])`
      return test.patterns.length === 0 ? any : 'unsupported'
    }
    case 'exists':
      return frag`bson.has_some(${found})`
    case 'mod':
      return frag`bson.has_remainder(${found}, ${String(test.divisor)}::numeric, ${String(test.remainder)}::numeric)`
    case 'regex':
      return frag`bson.has_text(${found}, ${patternSql(test.pattern)}::text)`
    case 'type':
    case 'geo':
    case 'custom':
      return 'unsupported'
  }
}

const elementsSql = (
  test: Extract<Test, { op: 'elements' }>,
  found: Fragment,
  depth: number,
): Fragment | 'unsupported' => {
  const [array, element] = [keyword(`a${depth}`), keyword(`e${depth}`)]
  const inner = compile(test.where, valueSource(element), depth + 1)
  if (inner === 'unsupported') return inner
  const fits =
    test.of === 'value' ? keyword('true') : frag`(bson.is_doc(${element}) or jsonb_typeof(${element}) = 'array')`
  return frag`exists (
    select
      from unnest(${found}) as ${array}
     cross join lateral jsonb_array_elements(case when jsonb_typeof(${array}) = 'array' then ${array} else '[]' end) as ${element}
     where ${fits} and (${inner}))`
}

export interface KeyRange {
  /** Inclusive. */
  readonly low: Buffer
  /** Exclusive. */
  readonly high: Buffer
}

/** The first bytes behind every key that begins with this one. */
const behind = (key: Buffer): Buffer => {
  const next = Buffer.from(key)
  for (let index = next.length - 1; index >= 0; index -= 1) {
    const byte = next[index] ?? 0
    if (byte < 0xff) {
      next[index] = byte + 1
      return next.subarray(0, index + 1)
    }
  }
  return Buffer.from([0xff])
}

/** The keys that satisfy a comparison: those of the same type; null when there are none. */
export const rangeOf = (operator: RangeOperator, value: Value): KeyRange | null => {
  const key = keyOf(value)
  const rank = rankOf(value)
  const all = value instanceof Extreme
  const [first, last] = [Buffer.from([all ? 0 : rank]), Buffer.from([all ? 0xff : rank + 1])]
  if (isNumber(value) && Number.isNaN(toNumber(value))) {
    return operator === 'gt' || operator === 'lt' ? null : { low: key, high: behind(key) }
  }
  switch (operator) {
    case 'gt':
      return { low: behind(key), high: last }
    case 'gte':
      return { low: key, high: last }
    case 'lt':
      // NaN lies first among the numbers, and is less than none of them.
      return { low: isNumber(value) ? AFTER_NAN : first, high: key }
    case 'lte':
      return { low: isNumber(value) ? AFTER_NAN : first, high: behind(key) }
  }
}

const AFTER_NAN = behind(keyOf(Number.NaN))

/** The range of one key. */
export const exactly = (value: Value): KeyRange => {
  const key = keyOf(value)
  return { low: key, high: behind(key) }
}
