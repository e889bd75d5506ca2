/** The statements that read windows of tables. Windows of other things bring their own. */
import type { Expr } from '../../expr/ast.ts'
import { toSql } from '../../expr/sql.ts'
import { empty, frag, ident, join, keyword, type Statement, sql, statement } from '../../sql/sql.ts'

/** The snapshot of the transaction, and the server's time in microseconds. */
export const currentSnapshot = (): Statement => sql('live.current_snapshot')`
  select pg_catalog.pg_current_snapshot()::text,
         (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::bigint::text`

export interface OrderItem {
  readonly column: string
  readonly descending: boolean
  readonly nullsFirst: boolean
}

export interface TableRead {
  readonly schema: string
  readonly table: string
  readonly columns: readonly string[]
  readonly where: Expr
  readonly order: readonly OrderItem[]
  readonly count: number | null
}

export const readTable = ({ schema, table, columns, where, order, count }: TableRead): Statement => {
  const alias = ident('shown')
  const items = order.map(
    ({ column, descending, nullsFirst }) =>
      frag`${alias}.${ident(column)} ${keyword(descending ? 'desc' : 'asc')} ${keyword(nullsFirst ? 'nulls first' : 'nulls last')}`,
  )
  return statement(
    'live.read_window',
    frag`select ${join(columns.map((column) => frag`${alias}.${ident(column)}`))}
           from ${ident(schema, table)} as ${alias}
          where ${toSql(where, { column: (field) => frag`${alias}.${ident(field.name)}` })}
          order by ${join(items)}${
            count === null
              ? empty
              : frag`
          limit ${count}`
          }`,
  )
}
