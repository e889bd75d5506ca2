/** What the keys' holders can reach without a policy deciding: read-only questions for the start, `doctor` and the console. */
import { sql } from '../../sql/sql.ts'
import type { Queryable } from '../pool.ts'

/** A table or view that clients reach. */
export interface Exposed {
  readonly schema: string
  readonly name: string
}

/** Tables of these schemas that `anon` or `authenticated` may use, and on which row-level security is off. */
export const tablesWithoutPolicies = async (db: Queryable, schemas: readonly string[]): Promise<readonly Exposed[]> =>
  db.many<Exposed>(sql('prepare.tables_without_rls')`
    select namespace.nspname::text as schema,
           class.relname::text as name
      from pg_class as class
      join pg_namespace as namespace on namespace.oid = class.relnamespace
     where namespace.nspname = any(${schemas}::text[])
       and class.relkind in ('r', 'p')
       and not class.relrowsecurity
       and exists (
         select 1
           from pg_roles as role
          where role.rolname in ('anon', 'authenticated')
            and has_schema_privilege(role.oid, namespace.oid, 'usage')
            and (has_table_privilege(role.oid, class.oid, 'select, insert, update, delete, truncate')
                 or has_any_column_privilege(role.oid, class.oid, 'select, insert, update')))
       -- Objects of extensions (a list of units, of spatial systems) are theirs to protect.
       and not exists (
         select 1
           from pg_depend as member
          where member.classid = 'pg_class'::regclass
            and member.objid = class.oid
            and member.deptype = 'e')
     order by 1, 2`)

/** Views of these schemas that clients may read and that look at their tables with their owner's rights, past every policy. */
export const viewsPastPolicies = async (db: Queryable, schemas: readonly string[]): Promise<readonly Exposed[]> =>
  db.many<Exposed>(sql('prepare.views_past_rls')`
    select namespace.nspname::text as schema,
           class.relname::text as name
      from pg_class as class
      join pg_namespace as namespace on namespace.oid = class.relnamespace
     where namespace.nspname = any(${schemas}::text[])
       and (class.relkind = 'm'
            or class.relkind = 'v'
               and not coalesce((select option_value::boolean
                                   from pg_options_to_table(class.reloptions)
                                  where option_name = 'security_invoker'), false))
       and exists (
         select 1
           from pg_roles as role
          where role.rolname in ('anon', 'authenticated')
            and has_schema_privilege(role.oid, namespace.oid, 'usage')
            and has_any_column_privilege(role.oid, class.oid, 'select'))
       and not exists (
         select 1
           from pg_depend as member
          where member.classid = 'pg_class'::regclass
            and member.objid = class.oid
            and member.deptype = 'e')
     order by 1, 2`)
