/** Statements that evaluate conditions on rows of the log: the event's own row image, not what the table holds by now. */
import type { Expr, Field } from '../expr/ast.ts'
import { toSql } from '../expr/sql.ts'
import { type Fragment, frag, ident, join, keyword, type Statement, statement } from '../sql/sql.ts'

export interface RowTable {
  readonly schema: string
  readonly name: string
}

/** Names that no user's column has, so that nothing in a policy becomes ambiguous. */
const SOURCE = 'teahouse$source'
const IMAGE = 'teahouse$image'
const POSITION = 'teahouse$position'

/** The rows as a relation that is named like their table: policies speak of it by that name. */
const rowsFrom = (table: RowTable, rows: string): Fragment => frag`
  pg_catalog.jsonb_array_elements(${rows}::jsonb) with ordinality as ${ident(SOURCE)}(${ident(IMAGE)}, ${ident(POSITION)})
  cross join lateral pg_catalog.jsonb_populate_record(null::${ident(table.schema, table.name)}, ${ident(SOURCE)}.${ident(IMAGE)}) as ${ident(table.name)}`

/** One question: does row `row` (from 0) satisfy the condition? */
export interface ExprCheck {
  readonly row: number
  readonly expr: Expr
}

/**
 * Answers many conditions on many rows at once: one result row (row, question) for every question that is true. The conditions hold constants
 * only, so they read nothing but the rows.
 */
export const checkExprs = (table: RowTable, rows: string, checks: readonly ExprCheck[]): Statement => {
  const column = (field: Field) => frag`${ident(table.name)}.${ident(field.name)}`
  const cases = checks.map(
    (check, index) =>
      // `case` keeps Postgres from evaluating a question on a row that it is not about.
      frag`(${keyword(String(index))}, case when ${ident(SOURCE)}.${ident(POSITION)} = ${keyword(String(check.row + 1))} then ${toSql(check.expr, { column })} end)`,
  )
  return statement(
    'live.check_exprs',
    frag`select question.id
           from ${rowsFrom(table, rows)}
          cross join lateral (values ${join(cases)}) as question(id, holds)
          where question.holds`,
  )
}

/** Positions (from 1) of the rows that satisfy a condition written in SQL by the schema's owner: policies and publications. */
export const checkText = (table: RowTable, rows: string, text: string): Statement =>
  statement(
    'live.check_text',
    // The text is the catalogue's own rendering of the owner's policy; it cannot be a parameter, and it holds none.
    frag`select ${ident(SOURCE)}.${ident(POSITION)}
           from ${rowsFrom(table, rows)}
          where (${keyword(text)})`,
  )

/** Makes Postgres read a condition's constants as the column's type, on a row of nulls. */
export const validateExpr = (table: RowTable, expr: Expr): Statement => checkExprs(table, '[{}]', [{ row: 0, expr }])

/** Makes Postgres compile regular expressions. */
export const validatePatterns = (patterns: readonly string[]): Statement =>
  statement('live.validate_patterns', frag`select ${join(patterns.map((pattern) => frag`'' ~ ${pattern}`))}`)

/** The keys of a parameter set: what the caller's rows of a membership table have in one column. */
export const parameterKeys = (table: RowTable, column: string, where: Expr, limit: number): Statement => {
  const alias = ident('member')
  return statement(
    'live.parameter_keys',
    frag`select distinct ${alias}.${ident(column)}::text as key
           from ${ident(table.schema, table.name)} as ${alias}
          where ${alias}.${ident(column)} is not null
            and (${toSql(where, { column: (field) => frag`${alias}.${ident(field.name)}` })})
          limit ${limit}`,
  )
}

/** Makes the feed carry a table for a reason of the server's own. */
export const watchTable = (table: RowTable, reason: 'membership' | 'window'): Statement =>
  statement(
    'live.watch_table',
    frag`select teahouse.feed_watch(${`${quoted(table.schema)}.${quoted(table.name)}`}::regclass, ${reason})`,
  )

/** The text form of a qualified name that a cast to regclass reads. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

export interface IdentityRow {
  readonly relid: string
  readonly own_identity: string
  readonly columns: readonly string[] | null
}

/** Replica identities that the feed widened, with the columns that their owner's own choice would show. */
export const ownIdentities = (): Statement =>
  statement(
    'live.own_identities',
    frag`select identity.relid::text as relid,
                identity.own_identity::text as own_identity,
                (select pg_catalog.array_agg(attribute.attname::text)
                   from pg_catalog.pg_index as index
                   join pg_catalog.pg_attribute as attribute
                     on attribute.attrelid = index.indrelid and attribute.attnum = any (index.indkey)
                  where index.indrelid = identity.relid
                    and index.indexrelid = case when identity.own_identity = 'i' then identity.own_index
                                                else (select pk.indexrelid from pg_catalog.pg_index as pk where pk.indrelid = identity.relid and pk.indisprimary) end) as columns
           from teahouse.feed_identity as identity`,
  )
