/** The shapes of what `queries.sql.ts` selects, before `build.ts` turns them into a catalogue. */

export interface RelationRow {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly owner: string
  readonly description: string | null
  readonly rls: boolean
  readonly forceRls: boolean
  readonly identity: string
  readonly events: number
  readonly partition: boolean
  readonly rowType: number
  readonly rows: number
  readonly parents: readonly number[] | null
  readonly grants: readonly GrantRow[] | null
  readonly columns: readonly ColumnRow[] | null
}

export type GrantRow = readonly [role: string, privilege: string]

export type ColumnRow = readonly [
  name: string,
  position: number,
  type: number,
  typeName: string,
  notNull: boolean,
  defaultExpression: string | null,
  generated: string,
  identity: string,
  modifier: number,
  description: string | null,
  collation: string | null,
  grants: readonly GrantRow[] | null,
]

export type TypeRow = readonly [
  oid: number,
  schema: string,
  name: string,
  formatted: string,
  kind: string,
  category: string,
  base: number,
  element: number,
  labels: readonly string[] | null,
]

export type ConstraintRow = readonly [
  name: string,
  kind: string,
  relation: number,
  columns: readonly number[],
  target: number,
  targetColumns: readonly number[] | null,
  onDelete: string,
]

export type IndexRow = readonly [
  name: string,
  relation: number,
  primary: boolean,
  replicaIdentity: boolean,
  columns: readonly number[],
]

export interface FunctionRow {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: string
  readonly description: string | null
  readonly names: readonly string[] | null
  readonly modes: readonly string[] | null
  readonly types: readonly number[] | null
  readonly defaults: number
  readonly variadic: boolean
  readonly returns: number
  readonly set: boolean
  readonly rows: number
  readonly volatility: string
  readonly definer: boolean
  readonly config: readonly string[] | null
}

export type PolicyRow = readonly [
  relation: number,
  name: string,
  command: string,
  permissive: boolean,
  roles: readonly string[],
  using: string | null,
  check: string | null,
]

export interface PublicationRow {
  readonly name: string
  readonly all: boolean
  readonly insert: boolean
  readonly update: boolean
  readonly delete: boolean
  readonly truncate: boolean
  readonly viaRoot: boolean
  readonly schemas: readonly string[] | null
  readonly tables:
    | readonly (readonly [relation: number, columns: readonly number[] | null, filter: string | null])[]
    | null
}

export type RoleRow = readonly [
  name: string,
  superuser: boolean,
  bypass: boolean,
  login: boolean,
  memberOf: readonly string[] | null,
  settings: readonly string[] | null,
]

export type CastRow = readonly [
  sourceOid: number,
  source: string,
  targetOid: number,
  target: string,
  functionSchema: string,
  functionName: string,
]

/** Everything that one load reads. */
export interface CatalogRows {
  readonly server: { readonly version: number; readonly announces: boolean }
  readonly schemas: readonly { readonly name: string; readonly description: string | null }[]
  readonly types: readonly TypeRow[]
  readonly relations: readonly RelationRow[]
  readonly constraints: readonly ConstraintRow[]
  readonly uniqueIndexes: readonly IndexRow[]
  readonly viewRules: readonly (readonly [view: number, tree: string])[]
  readonly functions: readonly FunctionRow[]
  readonly dataCasts: readonly CastRow[]
  readonly policies: readonly PolicyRow[]
  readonly publications: readonly PublicationRow[]
  readonly roles: readonly RoleRow[]
  readonly databaseSettings: readonly string[]
}
