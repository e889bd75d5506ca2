/** Relations with their columns, keys, policies and view dependencies, put together from rows. Pure. */
import type { Column, Grant, Policy, Relation, RelationKind, TypeInfo, UniqueKey, ViewColumn } from './catalog.ts'
import type { CatalogRows, ColumnRow, ConstraintRow, IndexRow, PolicyRow, RelationRow } from './rows.ts'
import { parseTargetList, type TargetEntry } from './view-columns.ts'

type Types = ReadonlyMap<number, TypeInfo>

const KINDS: Readonly<Record<string, RelationKind>> = {
  r: 'table',
  p: 'partitioned',
  v: 'view',
  m: 'materialized',
  f: 'foreign',
}
const IDENTITIES = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const
const COMMANDS = { '*': 'all', r: 'select', a: 'insert', w: 'update', d: 'delete' } as const

const COMPOSITE = 'c'

/** The columns of types made by `create type … as (…)`, by type. */
export const compositeColumns = (rows: readonly RelationRow[], types: Types): ReadonlyMap<number, readonly Column[]> =>
  new Map(
    rows
      .filter((row) => row.kind === COMPOSITE)
      .map((row) => [row.rowType, (row.columns ?? []).map((column) => buildColumn(column, types))]),
  )

// Bits of pg_relation_is_updatable: 1 << CmdType.
const CAN_UPDATE = 4
const CAN_INSERT = 8
const CAN_DELETE = 16

/** Names of columns by relation and position. */
export type ColumnNames = (relation: number, positions: readonly number[]) => readonly string[]

export const columnNamesOf = (rows: readonly RelationRow[]): ColumnNames => {
  const names = new Map(
    rows.map((row) => [row.oid, new Map((row.columns ?? []).map((column) => [column[1], column[0]]))]),
  )
  return (relation, positions) => positions.flatMap((position) => names.get(relation)?.get(position) ?? [])
}

export const groupBy = <T, K>(items: readonly T[], keyOf: (item: T) => K): ReadonlyMap<K, readonly T[]> => {
  const groups = new Map<K, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

export const buildRelations = (rows: CatalogRows, types: Types): readonly Relation[] => {
  const names = columnNamesOf(rows.relations)
  const context: Context = {
    types,
    names,
    constraints: groupBy(rows.constraints, (row) => row[2]),
    indexes: groupBy(rows.uniqueIndexes, (row) => row[1]),
    policies: groupBy(rows.policies, (row) => row[0]),
    views: resolveViews(rows, names),
  }
  return rows.relations.filter((row) => row.kind !== COMPOSITE).map((row) => buildRelation(row, context))
}

interface Context {
  readonly types: Types
  readonly names: ColumnNames
  readonly constraints: ReadonlyMap<number, readonly ConstraintRow[]>
  readonly indexes: ReadonlyMap<number, readonly IndexRow[]>
  readonly policies: ReadonlyMap<number, readonly PolicyRow[]>
  readonly views: ReadonlyMap<number, readonly ViewColumn[]>
}

const buildRelation = (row: RelationRow, context: Context): Relation => {
  const columns = (row.columns ?? []).map((column) => buildColumn(column, context.types))
  const byName = new Map(columns.map((column) => [column.name, column]))
  const keys = uniqueKeysOf(row, context)
  const viewColumns = context.views.get(row.oid) ?? []
  const ownKey = keys.find((key) => key.primary)?.columns ?? []
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    kind: KINDS[row.kind] ?? 'table',
    owner: row.owner,
    description: row.description,
    columns,
    primaryKey: viewColumns.length > 0 ? viewKey(viewColumns, context) : ownKey,
    uniqueKeys: keys,
    rowSecurity: row.rls,
    forceRowSecurity: row.forceRls,
    policies: (context.policies.get(row.oid) ?? []).map(buildPolicy),
    replicaIdentity: IDENTITIES[row.identity as keyof typeof IDENTITIES],
    identityColumns: identityOf(row, ownKey, columns, context),
    insertable: (row.events & CAN_INSERT) !== 0,
    updatable: (row.events & CAN_UPDATE) !== 0,
    deletable: (row.events & CAN_DELETE) !== 0,
    isPartition: row.partition,
    parents: row.parents ?? [],
    rowType: row.rowType,
    viewColumns,
    grants: grantsOf(row),
    estimatedRows: row.rows,
    column: (name) => byName.get(name),
  }
}

/** Domains resolved down to their base. */
export const baseTypeOf = (types: Types, oid: number): TypeInfo | undefined => {
  let type = types.get(oid)
  while (type !== undefined && type.kind === 'domain') type = types.get(type.baseOid)
  return type
}

const VARLENA_HEADER = 4
const LENGTH_TYPES = new Set(['character varying', 'character', 'bpchar', '"char"'])

const buildColumn = (row: ColumnRow, types: Types): Column => {
  const [name, position, typeOid, typeName, notNull, defaultExpression, generated, identity, modifier] = row
  const type = types.get(typeOid)
  const base = baseTypeOf(types, typeOid)
  const baseType = base?.formatted ?? typeName
  return {
    name,
    position,
    typeOid,
    typeName,
    plainType: type?.formatted ?? typeName,
    baseType,
    baseTypeOid: base?.oid ?? typeOid,
    domain: type?.kind === 'domain' ? type.formatted : null,
    nullable: !notNull,
    defaultExpression: generated === '' ? defaultExpression : null,
    generated: generated !== '',
    identity: identity === 'a' ? 'always' : identity === 'd' ? 'by default' : null,
    maxLength: modifier > VARLENA_HEADER && LENGTH_TYPES.has(baseType) ? modifier - VARLENA_HEADER : null,
    enumLabels: base?.enumLabels ?? [],
    description: row[9],
    collation: row[10],
  }
}

const uniqueKeysOf = (row: RelationRow, context: Context): readonly UniqueKey[] =>
  (context.indexes.get(row.oid) ?? []).map(([name, relation, primary, , positions]) => ({
    name,
    columns: context.names(relation, positions),
    primary,
  }))

const identityOf = (
  row: RelationRow,
  primaryKey: readonly string[],
  columns: readonly Column[],
  context: Context,
): readonly string[] => {
  if (row.identity === 'f') return columns.map((column) => column.name)
  if (row.identity === 'd') return primaryKey
  const index = (context.indexes.get(row.oid) ?? []).find(([, , , replicaIdentity]) => replicaIdentity)
  return row.identity === 'i' && index !== undefined ? context.names(row.oid, index[4]) : []
}

const buildPolicy = ([, name, command, permissive, roles, using, check]: PolicyRow): Policy => ({
  name,
  command: COMMANDS[command as keyof typeof COMMANDS],
  permissive,
  roles,
  using,
  check,
})

const grantsOf = (row: RelationRow): readonly Grant[] => {
  const grants: Grant[] = (row.grants ?? []).map(([role, privilege]) => ({ role, privilege, columns: null }))
  const byKey = new Map<string, { role: string; privilege: string; columns: string[] }>()
  for (const column of row.columns ?? []) {
    for (const [role, privilege] of column[11] ?? []) {
      const key = `${privilege} ${role}`
      const known = byKey.get(key)
      if (known === undefined) byKey.set(key, { role, privilege, columns: [column[0]] })
      else known.columns.push(column[0])
    }
  }
  return [...grants, ...byKey.values()]
}

/** For each view its columns' origins, also through other views. */
const resolveViews = (rows: CatalogRows, names: ColumnNames): ReadonlyMap<number, readonly ViewColumn[]> => {
  const trees = new Map(rows.viewRules.map(([view, tree]) => [view, parseTargetList(tree)]))
  const resolved = new Map<number, readonly ViewColumn[]>()
  for (const [view, entries] of trees) {
    resolved.set(
      view,
      entries.flatMap((entry) => originsOf(entry, trees).flatMap((origin) => viewColumn(view, entry, origin, names))),
    )
  }
  return resolved
}

const viewColumn = (view: number, entry: TargetEntry, origin: TargetEntry, names: ColumnNames): ViewColumn[] => {
  const [column] = names(view, [entry.position])
  const [relationColumn] = names(origin.relation, [origin.column])
  if (column === undefined || relationColumn === undefined) return []
  return [{ column, relation: origin.relation, relationColumn }]
}

/** The entry itself and, when it comes from another view, what that one's column comes from. Views cannot form cycles; the bound is for a damaged catalogue. */
const originsOf = (
  entry: TargetEntry,
  trees: ReadonlyMap<number, readonly TargetEntry[]>,
  bound = 64,
): readonly TargetEntry[] => {
  const inner = trees.get(entry.relation)?.find((each) => each.position === entry.column)
  return inner === undefined || bound === 0 ? [entry] : [entry, ...originsOf(inner, trees, bound - 1)]
}

/** A view has the primary key of the first table whose whole key it shows. */
const viewKey = (viewColumns: readonly ViewColumn[], context: Context): readonly string[] => {
  for (const relation of new Set(viewColumns.map((each) => each.relation))) {
    const primary = (context.indexes.get(relation) ?? []).find(([, , isPrimary]) => isPrimary)
    if (primary === undefined) continue
    const key = context.names(relation, primary[4])
    const shown = key.map(
      (name) => viewColumns.find((each) => each.relation === relation && each.relationColumn === name)?.column,
    )
    if (shown.every((name) => name !== undefined)) return shown
  }
  return []
}
