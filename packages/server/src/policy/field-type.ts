/** What expressions need to know of a column of the catalogue. Pure. */
import type { Column } from '../db/catalog/catalog.ts'
import type { FieldType } from '../expr/ast.ts'

/** A memo, not state: every subscription's condition names columns, and one object for each column serves them all. */
const known = new WeakMap<Column, FieldType>()

export const fieldTypeOf = (column: Column): FieldType => {
  let type = known.get(column)
  if (type === undefined) {
    const { baseType, collation, enumLabels, nullable } = column
    type = { name: baseType, collation, enumLabels, nullable }
    known.set(column, type)
  }
  return type
}
