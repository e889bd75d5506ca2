/** Turns a subscriber's conditions into an expression over the table's columns, refusing columns that the subscriber may not read. Pure. */
import type { Relation } from '../db/catalog/catalog.ts'
import { and, compare, type Expr, type Field, field, not, or, value } from '../expr/ast.ts'
import type { Condition } from './condition.ts'
import { fieldType } from './matcher.ts'

const IS_VALUES = new Set(['null', 'true', 'false', 'unknown'])

/** The conjunction, or why it cannot be. A column that may not be read is refused like one that does not exist: filtering on it would reveal it. */
export const toExpr = (
  conditions: readonly Condition[],
  relation: Relation,
  readable: ReadonlySet<string> | 'all',
): Expr | string => {
  const items: Expr[] = []
  for (const condition of conditions) {
    const column = relation.column(condition.column)
    if (column === undefined || (readable !== 'all' && !readable.has(column.name)))
      return `invalid column for filter ${condition.column}`
    const left = field(column.name, fieldType(column))
    const [first = ''] = condition.values
    if (condition.op === 'is' && !IS_VALUES.has(first.toLowerCase()))
      return `invalid value for "is" filter: ${first.slice(0, 50)}`
    const item =
      condition.op === 'in'
        ? isIn(left, condition.values)
        : compare(condition.op, left, value(condition.op === 'is' ? first.toLowerCase() : first))
    items.push(condition.negated ? not(item) : item)
  }
  return and(items)
}

/** Of arrays there is no list: `= any` of an array of arrays would look at their elements. */
const isIn = (left: Field, values: readonly string[]): Expr =>
  left.type?.name.endsWith('[]')
    ? or(values.map((text) => compare('eq', left, value(text))))
    : compare('in', left, { kind: 'list', values })
