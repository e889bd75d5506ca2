/** What one database contains, as an immutable value: relations, keys, functions, types, policies, publications. No I/O here. */

/** One snapshot of the schema. A newer one replaces it as a whole; nothing in it ever changes. */
export interface Catalog {
  /** Grows by one with every load of this process. */
  readonly version: number
  /** Postgres's own number, for example 180004. */
  readonly serverVersion: number
  readonly schemas: ReadonlyMap<string, SchemaInfo>
  readonly types: ReadonlyMap<number, TypeInfo>
  readonly relations: readonly Relation[]
  readonly functions: readonly FunctionInfo[]
  readonly foreignKeys: readonly ForeignKey[]
  readonly dataCasts: readonly DataCast[]
  readonly publications: readonly Publication[]
  readonly roles: ReadonlyMap<string, RoleInfo>
  /** Settings of the database itself (`alter database … set`). */
  readonly databaseSettings: ReadonlyMap<string, string>
  /** Whether DDL announces itself; without, changes are found by polling. */
  readonly announcesDdl: boolean
  relation(schema: string, name: string): Relation | undefined
  relationById(oid: number): Relation | undefined
  /** Every function of that name in that schema. */
  functionsNamed(schema: string, name: string): readonly FunctionInfo[]
  /** The relation whose rows have this composite type. */
  relationOfRowType(typeOid: number): Relation | undefined
  /** The columns of a composite type: of a relation's rows, or of `create type … as`. */
  columnsOfRowType(typeOid: number): readonly Column[] | undefined
  /** Foreign keys in which the relation takes part, on either side. */
  foreignKeysOf(relation: Relation): readonly ForeignKey[]
}

export interface SchemaInfo {
  readonly name: string
  readonly description: string | null
}

export type RelationKind = 'table' | 'partitioned' | 'view' | 'materialized' | 'foreign'

export interface Relation {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: RelationKind
  readonly owner: string
  readonly description: string | null
  /** In the order of their positions. */
  readonly columns: readonly Column[]
  /** Column names, in key order; empty without a primary key. For views: columns that carry a whole primary key through. */
  readonly primaryKey: readonly string[]
  /** Every unique key that `on conflict` may name, the primary key included. */
  readonly uniqueKeys: readonly UniqueKey[]
  readonly rowSecurity: boolean
  readonly forceRowSecurity: boolean
  readonly policies: readonly Policy[]
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index'
  /** What identifies an old row in the log: the columns of the replica identity. */
  readonly identityColumns: readonly string[]
  readonly insertable: boolean
  readonly updatable: boolean
  readonly deletable: boolean
  readonly isPartition: boolean
  /** Oids of direct parents (partitions and inheritance). */
  readonly parents: readonly number[]
  readonly rowType: number
  /** For views: which columns stand for which columns of other relations. */
  readonly viewColumns: readonly ViewColumn[]
  readonly grants: readonly Grant[]
  /** Estimated number of rows, -1 when never analysed. */
  readonly estimatedRows: number
  column(name: string): Column | undefined
}

export interface Column {
  readonly name: string
  /** pg_attribute.attnum. */
  readonly position: number
  /** The declared type; see `Catalog.types`. */
  readonly typeOid: number
  /** As SQL writes it, with modifiers: `character varying(20)`. */
  readonly typeName: string
  /** Without modifiers, in Postgres's canonical spelling: `character varying`. Domains keep their name. */
  readonly plainType: string
  /** `plainType` with domains resolved. */
  readonly baseType: string
  readonly baseTypeOid: number
  readonly domain: string | null
  readonly nullable: boolean
  /** Text of the default expression. */
  readonly defaultExpression: string | null
  readonly generated: boolean
  readonly identity: 'always' | 'by default' | null
  readonly maxLength: number | null
  /** Labels, when the type is an enum. */
  readonly enumLabels: readonly string[]
  readonly description: string | null
  /** Collation of text; null for types without one. */
  readonly collation: string | null
}

export interface UniqueKey {
  readonly name: string
  readonly columns: readonly string[]
  readonly primary: boolean
}

/** A foreign key: `columns` of `relation` point at `targetColumns` of `target`. */
export interface ForeignKey {
  readonly name: string
  readonly relation: number
  readonly columns: readonly string[]
  readonly target: number
  readonly targetColumns: readonly string[]
  /** The referencing columns are unique: one to one. */
  readonly oneToOne: boolean
  /** 'a' no action, 'r' restrict, 'c' cascade, 'n' set null, 'd' set default. */
  readonly onDelete: string
}

/** A column of a view that is nothing but a column of another relation. */
export interface ViewColumn {
  readonly column: string
  readonly relation: number
  readonly relationColumn: string
}

export interface Policy {
  readonly name: string
  readonly command: 'all' | 'select' | 'insert' | 'update' | 'delete'
  readonly permissive: boolean
  /** Role names; `public` stands for everyone. */
  readonly roles: readonly string[]
  /** SQL text of `using`. */
  readonly using: string | null
  /** SQL text of `with check`. */
  readonly check: string | null
}

/** `columns` is null when the grant covers the whole relation. */
export interface Grant {
  readonly role: string
  readonly privilege: string
  readonly columns: readonly string[] | null
}

export interface FunctionInfo {
  readonly oid: number
  readonly schema: string
  readonly name: string
  readonly kind: 'function' | 'aggregate'
  readonly description: string | null
  /** Input arguments (in, inout, variadic), in order. */
  readonly inputs: readonly FunctionArgument[]
  /** Output columns of `out`, `inout` and `returns table`, in order. */
  readonly outputs: readonly FunctionOutput[]
  readonly variadic: boolean
  readonly returns: FunctionReturn
  readonly volatility: 'immutable' | 'stable' | 'volatile'
  readonly securityDefiner: boolean
  /** `set x to y` options of the function. */
  readonly settings: ReadonlyMap<string, string>
}

export interface FunctionArgument {
  /** Empty when unnamed. */
  readonly name: string
  readonly typeOid: number
  readonly typeName: string
  readonly required: boolean
  readonly variadic: boolean
}

export interface FunctionOutput {
  readonly name: string
  readonly typeOid: number
  readonly typeName: string
}

export interface FunctionReturn {
  readonly typeOid: number
  readonly typeName: string
  readonly set: boolean
  readonly composite: boolean
  readonly void: boolean
  /** The planner's row estimate; 1 on a set-returning function marks it as single-row. */
  readonly rows: number
}

export interface TypeInfo {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** format_type(oid, null). */
  readonly formatted: string
  readonly kind: 'base' | 'composite' | 'domain' | 'enum' | 'range' | 'multirange' | 'pseudo'
  /** pg_type.typcategory. */
  readonly category: string
  /** The base of a domain, else 0. */
  readonly baseOid: number
  /** The element of an array, else 0. */
  readonly elementOid: number
  readonly enumLabels: readonly string[]
}

/** An implicit cast by function between a domain and json or text: how a column wants to be shown or read. */
export interface DataCast {
  readonly sourceOid: number
  readonly source: string
  readonly targetOid: number
  readonly target: string
  readonly functionSchema: string
  readonly functionName: string
}

export interface Publication {
  readonly name: string
  readonly allTables: boolean
  readonly insert: boolean
  readonly update: boolean
  readonly delete: boolean
  readonly truncate: boolean
  readonly viaRoot: boolean
  readonly schemas: readonly string[]
  readonly tables: readonly PublishedTable[]
}

export interface PublishedTable {
  readonly relation: number
  /** Null: every column. */
  readonly columns: readonly string[] | null
  readonly rowFilter: string | null
}

export interface RoleInfo {
  readonly name: string
  readonly superuser: boolean
  readonly bypassRowSecurity: boolean
  readonly login: boolean
  /** Roles whose privileges it inherits, directly. */
  readonly memberOf: readonly string[]
  /** `alter role … [in database …] set`; the database's own wins. */
  readonly settings: ReadonlyMap<string, string>
}
