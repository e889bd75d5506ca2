/** Where rows come from, and what a name means there: a column, or a function of the row. */
import type { Catalog, Column, FunctionInfo, Relation } from '../db/catalog/catalog.ts'
import type { Field, FieldType } from '../expr/ast.ts'
import { type Fragment, frag, ident } from '../sql/sql.ts'
import { DataError } from './errors.ts'
import { similarColumn } from './similar.ts'

/** What compiling needs to know besides the request. */
export interface DataContext {
  readonly catalog: Catalog
  /** The schema that names in the request mean. */
  readonly schema: string
  /** Schemas that are served; junctions in others relate nothing. Absent: all. */
  readonly servedSchemas?: readonly string[]
  /** Where functions of a row are looked for, the request's schema first. */
  readonly searchSchemas: readonly string[]
  readonly maxRows: number | null
  readonly aggregates: boolean
  /** A fresh number for an alias. */
  readonly nextAlias: () => number
}

/** One row source in a statement. */
export interface Source {
  readonly alias: string
  /** For messages. */
  readonly name: string
  readonly relation: Relation | null
  /** Null when the columns cannot be known before the statement runs. */
  readonly columns: readonly Column[] | null
  /** The row itself, as an argument for functions of it. */
  readonly row: Fragment
  /** Told about each name that is read, for `returning`. `*` stands for all. */
  readonly onUse?: (name: string) => void
  /** Functions of the row were already evaluated and are plain columns here. */
  readonly flattened?: boolean
}

export interface ResolvedField {
  readonly sql: Fragment
  readonly type: FieldType | null
  readonly column: Column | null
}

/** System columns that can be read of any table. */
const SYSTEM_COLUMNS = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid'])

/** What `name` means in `source`. Throws `column_unknown`. */
export const resolveName = (name: string, source: Source, context: DataContext): ResolvedField => {
  const column = source.columns?.find((each) => each.name === name) ?? null
  if (column !== null || source.columns === null || isSystemColumn(name, source)) {
    source.onUse?.(name)
    return { sql: ident(source.alias, name), type: column === null ? null : fieldTypeOf(column), column }
  }
  const computed = functionOfRow(name, source, context)
  if (computed === undefined) throw unknownColumn(name, source)
  source.onUse?.(name)
  const sql = source.flattened
    ? ident(source.alias, name)
    : frag`${ident(computed.schema, computed.name)}(${source.row})`
  return { sql, type: returnTypeOf(computed, context), column: null }
}

export const unknownColumn = (name: string, source: Source): DataError =>
  new DataError({
    kind: 'column_unknown',
    relation: source.name,
    column: name,
    similar: similarColumn(
      name,
      (source.columns ?? []).map((each) => each.name),
    ),
  })

const isSystemColumn = (name: string, source: Source): boolean =>
  SYSTEM_COLUMNS.has(name) && (source.relation?.kind === 'table' || source.relation?.kind === 'partitioned')

/** A function whose only argument is a row of the relation: a computed column. */
export const functionOfRow = (name: string, source: Source, context: DataContext): FunctionInfo | undefined => {
  const { relation } = source
  if (relation === null) return undefined
  for (const schema of new Set([...context.searchSchemas, relation.schema])) {
    const found = context.catalog
      .functionsNamed(schema, name)
      .find(
        (each) => each.kind === 'function' && each.inputs.length === 1 && each.inputs[0]?.typeOid === relation.rowType,
      )
    if (found !== undefined) return found
  }
  return undefined
}

export const fieldTypeOf = (column: Column): FieldType => ({
  name: column.baseType,
  collation: column.collation,
  enumLabels: column.enumLabels,
  nullable: column.nullable,
})

const returnTypeOf = (computed: FunctionInfo, context: DataContext): FieldType => {
  let type = context.catalog.types.get(computed.returns.typeOid)
  while (type !== undefined && type.kind === 'domain') type = context.catalog.types.get(type.baseOid)
  return {
    name: type?.formatted ?? computed.returns.typeName,
    collation: null,
    enumLabels: type?.enumLabels ?? [],
    nullable: true,
  }
}

/** The function that turns a domain into how it wants to be shown (`json`) or read (`json`, `text`), if there is one. */
export const representation = (
  column: Column | null,
  direction: 'to json' | 'from json' | 'from text',
  context: DataContext,
): Fragment | null => {
  if (column === null || column.domain === null) return null
  const other = direction === 'from text' ? 'text' : 'json'
  const cast = context.catalog.dataCasts.find((each) =>
    direction === 'to json'
      ? each.sourceOid === column.typeOid && each.target === other
      : each.targetOid === column.typeOid && each.source === other,
  )
  return cast === undefined ? null : ident(cast.functionSchema, cast.functionName)
}

/** Fields in conditions, typed and named for this source. */
export const typedField = (field: Field, source: Source, context: DataContext): Field => ({
  ...field,
  type: resolveName(field.name, source, context).type,
})
