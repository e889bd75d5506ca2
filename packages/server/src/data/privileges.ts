/** What of a schema a caller may use at all, asked as that caller. */
import type { Pool } from '../db/pool.ts'
import { runAs, type Scope } from '../db/scope.ts'
import { sql } from '../sql/sql.ts'

export interface Usable {
  readonly relations: ReadonlySet<number>
  readonly functions: ReadonlySet<number>
}

export const usableObjects = async (pool: Pool, scope: Scope, schema: string): Promise<Usable> => {
  const [relations, functions] = await runAs(pool, scope, [usableRelations(schema), usableFunctions(schema)])
  const oids = (rows: readonly (readonly (string | null)[])[] | undefined) =>
    new Set((rows ?? []).map((row) => Number(row[0])))
  return { relations: oids(relations?.rows), functions: oids(functions?.rows) }
}

const usableRelations = (schema: string) => sql('data.usable_relations')`
  select c.oid::bigint
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where n.nspname = ${schema}
     and c.relkind in ('r', 'v', 'm', 'f', 'p')
     and pg_catalog.has_schema_privilege(n.oid, 'usage')
     and (pg_catalog.has_table_privilege(c.oid, 'select, insert, update, delete')
       or pg_catalog.has_any_column_privilege(c.oid, 'select, insert, update'))`

const usableFunctions = (schema: string) => sql('data.usable_functions')`
  select p.oid::bigint
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
   where n.nspname = ${schema}
     and pg_catalog.has_schema_privilege(n.oid, 'usage')
     and pg_catalog.has_function_privilege(p.oid, 'execute')`
