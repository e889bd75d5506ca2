/** Turns the rows of one load into an immutable `Catalog`. Pure. */
import {
  baseTypeOf,
  buildRelations,
  type ColumnNames,
  columnNamesOf,
  compositeColumns,
  groupBy,
} from './build-relations.ts'
import type {
  Catalog,
  DataCast,
  ForeignKey,
  FunctionArgument,
  FunctionInfo,
  Publication,
  RoleInfo,
  TypeInfo,
} from './catalog.ts'
import type { CatalogRows, FunctionRow, PublicationRow, RoleRow, TypeRow } from './rows.ts'

const TYPE_KINDS: Readonly<Record<string, TypeInfo['kind']>> = {
  b: 'base',
  c: 'composite',
  d: 'domain',
  e: 'enum',
  r: 'range',
  m: 'multirange',
  p: 'pseudo',
}
const VOLATILITIES = { i: 'immutable', s: 'stable', v: 'volatile' } as const

export const buildCatalog = (rows: CatalogRows, version: number): Catalog => {
  const types = new Map(rows.types.map((row) => [row[0], buildType(row)]))
  const relations = buildRelations(rows, types)
  const functions = rows.functions.map((row) => buildFunction(row, types))
  const foreignKeys = buildForeignKeys(rows)
  return {
    version,
    serverVersion: rows.server.version,
    announcesDdl: rows.server.announces,
    schemas: new Map(rows.schemas.map((schema) => [schema.name, schema])),
    types,
    relations,
    functions,
    foreignKeys,
    dataCasts: rows.dataCasts.map(buildCast),
    publications: rows.publications.map((row) => buildPublication(row, columnNamesOf(rows.relations))),
    roles: new Map(rows.roles.map((row) => [row[0], buildRole(row)])),
    databaseSettings: parseSettings(rows.databaseSettings),
    ...lookups(relations, functions, foreignKeys),
    ...rowTypes(relations, compositeColumns(rows.relations, types)),
  }
}

type Lookups = Pick<Catalog, 'relation' | 'relationById' | 'functionsNamed' | 'foreignKeysOf'>

/** Names may hold any character but NUL. */
const keyOf = (schema: string, name: string): string => `${schema}\0${name}`

const lookups = (
  relations: Catalog['relations'],
  functions: Catalog['functions'],
  foreignKeys: Catalog['foreignKeys'],
): Lookups => {
  const byName = new Map(relations.map((relation) => [keyOf(relation.schema, relation.name), relation]))
  const byId = new Map(relations.map((relation) => [relation.oid, relation]))
  const functionsByName = groupBy(functions, (each) => keyOf(each.schema, each.name))
  const bySource = groupBy(foreignKeys, (key) => key.relation)
  const byTarget = groupBy(foreignKeys, (key) => key.target)
  return {
    relation: (schema, name) => byName.get(keyOf(schema, name)),
    relationById: (oid) => byId.get(oid),
    functionsNamed: (schema, name) => functionsByName.get(keyOf(schema, name)) ?? [],
    foreignKeysOf: ({ oid }) => [
      ...(bySource.get(oid) ?? []),
      ...(byTarget.get(oid) ?? []).filter((key) => key.relation !== oid),
    ],
  }
}

const rowTypes = (
  relations: Catalog['relations'],
  composites: ReadonlyMap<number, Catalog['relations'][number]['columns']>,
): Pick<Catalog, 'relationOfRowType' | 'columnsOfRowType'> => {
  const byRowType = new Map(relations.map((relation) => [relation.rowType, relation]))
  return {
    relationOfRowType: (oid) => byRowType.get(oid),
    columnsOfRowType: (oid) => byRowType.get(oid)?.columns ?? composites.get(oid),
  }
}

const buildType = ([oid, schema, name, formatted, kind, category, baseOid, elementOid, labels]: TypeRow): TypeInfo => ({
  oid,
  schema,
  name,
  formatted,
  kind: TYPE_KINDS[kind] ?? 'base',
  category,
  baseOid,
  elementOid,
  enumLabels: labels ?? [],
})

const buildForeignKeys = (rows: CatalogRows): readonly ForeignKey[] => {
  const names = columnNamesOf(rows.relations)
  const unique = new Set(
    rows.constraints.filter(([, kind]) => kind !== 'f').map(([, , relation, columns]) => uniqueKey(relation, columns)),
  )
  return rows.constraints.flatMap(([name, kind, relation, columns, target, targetColumns, onDelete]) => {
    if (kind !== 'f' || targetColumns === null) return []
    return [
      {
        name,
        relation,
        columns: names(relation, columns),
        target,
        targetColumns: names(target, targetColumns),
        oneToOne: unique.has(uniqueKey(relation, columns)),
        onDelete,
      },
    ]
  })
}

const uniqueKey = (relation: number, columns: readonly number[]): string =>
  `${relation}:${[...columns].sort((a, b) => a - b).join()}`

const buildFunction = (row: FunctionRow, types: ReadonlyMap<number, TypeInfo>): FunctionInfo => {
  const outputs = argumentsOf(row, types).filter(({ mode }) => 'obt'.includes(mode))
  const returned = types.get(row.returns)
  return {
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    kind: row.kind === 'a' ? 'aggregate' : 'function',
    description: row.description,
    inputs: inputsOf(row, types),
    outputs: outputs.map(({ name, typeOid, typeName }) => ({ name, typeOid, typeName })),
    variadic: row.variadic,
    returns: {
      typeOid: row.returns,
      typeName: returned?.formatted ?? 'unknown',
      set: row.set,
      composite: baseTypeOf(types, row.returns)?.kind === 'composite' || outputs.length > 0,
      void: returned?.name === 'void',
      rows: row.rows,
    },
    volatility: VOLATILITIES[row.volatility as keyof typeof VOLATILITIES],
    securityDefiner: row.definer,
    settings: parseSettings(row.config ?? []),
  }
}

const argumentsOf = (row: FunctionRow, types: ReadonlyMap<number, TypeInfo>) =>
  (row.types ?? []).map((typeOid, index) => ({
    name: row.names?.[index] ?? '',
    mode: row.modes?.[index] ?? 'i',
    typeOid,
    typeName: types.get(typeOid)?.formatted ?? 'unknown',
  }))

const inputsOf = (row: FunctionRow, types: ReadonlyMap<number, TypeInfo>): readonly FunctionArgument[] => {
  const inputs = argumentsOf(row, types).filter(({ mode }) => 'ibv'.includes(mode))
  const required = inputs.length - row.defaults
  return inputs.map(({ name, typeOid, typeName, mode }, index) => ({
    name,
    typeOid,
    typeName,
    required: index < required,
    variadic: mode === 'v',
  }))
}

const buildCast = (row: CatalogRows['dataCasts'][number]): DataCast => ({
  sourceOid: row[0],
  source: row[1],
  targetOid: row[2],
  target: row[3],
  functionSchema: row[4],
  functionName: row[5],
})

const buildPublication = (row: PublicationRow, names: ColumnNames): Publication => ({
  name: row.name,
  allTables: row.all,
  insert: row.insert,
  update: row.update,
  delete: row.delete,
  truncate: row.truncate,
  viaRoot: row.viaRoot,
  schemas: row.schemas ?? [],
  tables: (row.tables ?? []).map(([relation, columns, rowFilter]) => ({
    relation,
    columns: columns === null ? null : names(relation, columns),
    rowFilter,
  })),
})

const buildRole = ([name, superuser, bypassRowSecurity, login, memberOf, settings]: RoleRow): RoleInfo => ({
  name,
  superuser,
  bypassRowSecurity,
  login,
  memberOf: memberOf ?? [],
  settings: parseSettings(settings ?? []),
})

/** `name=value` pairs; later ones win. */
const parseSettings = (pairs: readonly string[]): ReadonlyMap<string, string> =>
  new Map(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at), pair.slice(at + 1)] as const
    }),
  )
