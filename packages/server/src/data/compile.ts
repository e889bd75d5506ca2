/** A whole request as one statement (and, for planned counts, a second one that asks the planner). */
import type { Relation } from '../db/catalog/catalog.ts'
import { type Fragment, frag, ident, keyword, param, type Statement, statement } from '../sql/sql.ts'
import { compileCall } from './compile-call.ts'
import { compileMutation } from './compile-mutation.ts'
import { compileNode, countSql, selectSql } from './compile-read.ts'
import { DataError } from './errors.ts'
import { explainSql, namedQuery, outputSql } from './output.ts'
import type { DataRequest, OutputOptions, Read, Target } from './query.ts'
import { mostSimilar } from './similar.ts'
import type { DataContext, Source } from './source.ts'

export interface CompiledRequest {
  readonly main: Statement
  /** Asks the planner for the number of rows; see `OutputOptions.count`. */
  readonly planned: Statement | null
}

export const compileRequest = (request: DataRequest, options: OutputOptions, context: DataContext): CompiledRequest => {
  switch (request.kind) {
    case 'read':
      return compileRead(request, options, context)
    case 'call':
      return compileCall(request, options, context)
    default:
      return { main: compileMutation(request, options, context), planned: null }
  }
}

/** The relation, or a refusal with the most similar name of the schema. */
export const requireRelation = ({ schema, name }: Target, context: DataContext): Relation => {
  const relation = context.catalog.relation(schema, name)
  if (relation !== undefined) return relation
  const names = context.catalog.relations.filter((each) => each.schema === schema).map((each) => each.name)
  throw new DataError({ kind: 'relation_unknown', schema, name, similar: mostSimilar(name, names) })
}

/** The rows of a relation under an alias. */
export const relationSource = (relation: Relation, alias: string): Source => ({
  alias,
  name: relation.name,
  relation,
  columns: relation.columns,
  row: ident(alias),
})

const compileRead = (request: Read, options: OutputOptions, context: DataContext): CompiledRequest => {
  const relation = requireRelation(request.target, context)
  const source = relationSource(relation, 't0')
  const node = compileNode(request.node, source, context, { expandAll: false })
  const from = frag`${ident(relation.schema, relation.name)} as ${ident(source.alias)}`
  const counted = countSql(node, from)
  const { total, counter } = totalSql(counted, options)
  const main = outputSql(
    {
      with: [namedQuery('source', selectSql(node, from)), ...counter],
      total,
      rowType: ident(relation.schema, relation.name),
    },
    options,
  )
  return { main: statement('data.read', main), planned: plannedStatement(counted, options) }
}

/** The total as a scalar, with the query that counts. An estimate counts exactly up to the largest answer, then asks the planner. */
export const totalSql = (
  counted: Fragment,
  { count, maxRows }: OutputOptions,
): { readonly total: Fragment | null; readonly counter: readonly Fragment[] } => {
  if (count === null || count === 'planned') return { total: null, counter: [] }
  const bounded = count === 'estimated' && maxRows !== null
  const query = bounded ? frag`${counted} limit ${param(String(maxRows + 1))}::bigint` : counted
  return {
    total: keyword('(select count(*) from counted)'),
    counter: [namedQuery('counted', query)],
  }
}

export const plannedStatement = (counted: Fragment, { count, maxRows }: OutputOptions): Statement | null =>
  count === 'planned' || (count === 'estimated' && maxRows !== null)
    ? statement('data.count', explainSql(counted))
    : null
