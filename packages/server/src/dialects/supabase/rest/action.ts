/** From a parsed request to what the data layer is asked for, and how its answer will be shown. */
import { relationOfResult } from '../../../data/compile-call.ts'
import { chooseFunction } from '../../../data/functions.ts'
import type { Call, DataRequest, Mutation, OutputOptions, ReadNode } from '../../../data/query.ts'
import type { DataContext } from '../../../data/source.ts'
import type { FunctionInfo } from '../../../db/catalog/catalog.ts'
import type { Expr } from '../../../expr/ast.ts'
import { readArguments, readRows, type TabularBody } from './body.ts'
import type { RestConfig } from './config.ts'
import { RestError } from './errors.ts'
import { functionHandlers, relationHandlers } from './handlers.ts'
import { negotiate, type Representation } from './media.ts'
import { type ParsedQuery, parseQuery } from './parse/params.ts'
import type { RestRequest } from './request.ts'

export interface Action {
  readonly request: DataRequest
  readonly query: ParsedQuery
  readonly output: OutputOptions
  readonly representation: Representation
  /** The function of a call. */
  readonly called: FunctionInfo | null
  readonly readOnly: boolean
}

export const planAction = (rest: RestRequest, config: RestConfig, context: DataContext): Action =>
  rest.resource.kind === 'function' ? planCall(rest, config, context) : planRelation(rest, config, context)

// --- relations

const planRelation = (rest: RestRequest, config: RestConfig, context: DataContext): Action => {
  const query = parseQuery(rest.pairs, false)
  const name = rest.resource.kind === 'relation' ? rest.resource.name : ''
  const target = { schema: rest.schema, name }
  const relation = context.catalog.relation(target.schema, target.name) ?? null
  const handler = relationHandlers(relation, {
    ...context,
    schemas: config.schemas,
    defaultSelect: query.defaultSelect,
  })
  const representation = negotiate(rest.accepted, { plans: config.plans, handler })
  if (rest.method === 'GET' || rest.method === 'HEAD') {
    const node = withRange(query, rest)
    const output = readOutput(rest, representation, config)
    return { request: { kind: 'read', target, node }, query, output, representation, called: null, readOnly: true }
  }
  const request = planMutation(rest, query, { target, config, primaryKey: relation?.primaryKey ?? [] })
  return { request, query, output: writeOutput(rest, representation), representation, called: null, readOnly: false }
}

const withRange = (query: ParsedQuery, rest: RestRequest): ReadNode => {
  const { range } = rest
  const { node } = query
  if (range === null) return node
  const fromHeader = range.to === null ? null : range.to - range.from + 1n
  if (!query.hasRange) return { ...node, offset: range.from, limit: fromHeader }
  // Both: only what lies in the two of them.
  const from = node.offset > range.from ? node.offset : range.from
  const ends = [node.limit === null ? null : node.offset + node.limit, range.to === null ? null : range.to + 1n].filter(
    (each) => each !== null,
  )
  if (ends.length === 0) return { ...node, offset: from, limit: null }
  const end = ends.reduce((a, b) => (a < b ? a : b))
  return { ...node, offset: from, limit: end > from ? end - from : 0n }
}

const readOutput = (rest: RestRequest, representation: Representation, config: RestConfig): OutputOptions => ({
  shape: rest.method === 'HEAD' ? { kind: 'none' } : representation.shape,
  count: rest.preferences.count,
  location: false,
  exactlyOne: false,
  maxAffected: null,
  maxRows: config.maxRows,
})

const writeOutput = (rest: RestRequest, representation: Representation): OutputOptions => {
  const { preferences } = rest
  const shown = preferences.returning === 'representation'
  const strict = preferences.handling === 'strict' && (rest.method === 'PATCH' || rest.method === 'DELETE')
  return {
    shape: shown ? representation.shape : { kind: 'none' },
    count: preferences.count === null ? null : 'exact',
    location: rest.method === 'POST' && preferences.returning === 'headers-only',
    exactlyOne: shown && representation.single,
    maxAffected: strict ? preferences.maxAffected : null,
    maxRows: null,
  }
}

interface MutationContext {
  readonly target: Mutation['target']
  readonly config: RestConfig
  readonly primaryKey: readonly string[]
}

const planMutation = (
  rest: RestRequest,
  query: ParsedQuery,
  { target, config, primaryKey }: MutationContext,
): Mutation => {
  const returning = query.node
  const missing = rest.preferences.missing ?? 'null'
  const rows = (): TabularBody => readRows(rest.body, rest.contentType, query.columns)
  switch (rest.method) {
    case 'POST': {
      const payload = { ...rows(), missing }
      const { resolution } = rest.preferences
      const action = resolution === 'ignore-duplicates' ? 'ignore' : 'merge'
      // A table without any key to conflict on just gets its rows.
      const keyless = primaryKey.length === 0 && query.onConflict === null
      const conflict = resolution === null || keyless ? null : ({ columns: query.onConflict, action } as const)
      return { kind: 'insert', target, payload, conflict, returning }
    }
    case 'PUT':
      return planReplace(query, { target, payload: { ...rows(), missing }, primaryKey })
    case 'PATCH':
      refuseWholeTable('UPDATE', query.rootFilter, config)
      return { kind: 'update', target, payload: { ...rows(), missing }, returning }
    case 'DELETE':
      refuseWholeTable('DELETE', query.rootFilter, config)
      return { kind: 'delete', target, returning }
    default:
      throw new RestError(405, { code: 'PGRST117', message: `Unsupported HTTP method: ${rest.method}` })
  }
}

const refuseWholeTable = (verb: string, filter: Expr, config: RestConfig): void => {
  if (!config.safeUpdate || filter.kind !== 'constant') return
  throw new RestError(400, { code: '21000', message: `${verb} requires a WHERE clause` })
}

const planReplace = (
  query: ParsedQuery,
  {
    target,
    payload,
    primaryKey,
  }: Pick<Extract<Mutation, { kind: 'replace' }>, 'target' | 'payload'> & { readonly primaryKey: readonly string[] },
): Mutation => {
  if (query.hasRange) {
    throw new RestError(400, {
      code: 'PGRST114',
      message: 'limit/offset querystring parameters are not allowed for PUT',
    })
  }
  if (query.hasTree || !namesWholeKey(query.rootFilter, primaryKey)) {
    throw new RestError(405, {
      code: 'PGRST105',
      message: "Filters must include all and only primary key columns with 'eq' operators",
    })
  }
  return { kind: 'replace', target, payload, key: query.rootFilter, returning: query.node }
}

const namesWholeKey = (filter: Expr, primaryKey: readonly string[]): boolean => {
  const items = filter.kind === 'and' ? filter.items : filter.kind === 'constant' ? [] : [filter]
  const names = items.map((item) =>
    item.kind === 'compare' &&
    item.operator === 'eq' &&
    item.quantifier === undefined &&
    item.left.kind === 'field' &&
    item.left.path.length === 0
      ? item.left.name
      : null,
  )
  return primaryKey.length > 0 && names.length === primaryKey.length && primaryKey.every((name) => names.includes(name))
}

// --- functions

const planCall = (rest: RestRequest, config: RestConfig, context: DataContext): Action => {
  const reading = rest.method === 'GET' || rest.method === 'HEAD'
  if (!reading && rest.method !== 'POST') {
    throw new RestError(405, { code: 'PGRST101', message: `Cannot use the ${rest.method} method on RPC` })
  }
  const query = parseQuery(rest.pairs, reading)
  const target = { schema: rest.schema, name: rest.resource.kind === 'function' ? rest.resource.name : '' }
  const given = reading
    ? ({ kind: 'named', values: query.arguments } as const)
    : withUnnamed(readArguments(rest.body, rest.contentType, query.columns))
  const { function: called } = chooseFunction({ target, arguments: given }, context)
  const relation = relationOfResult(called, context.catalog)
  const handler = functionHandlers(called, relation, {
    ...context,
    schemas: config.schemas,
    defaultSelect: query.defaultSelect,
  })
  const representation = negotiate(rest.accepted, { plans: config.plans, handler })
  const readOnly = reading || called.volatility !== 'volatile'
  const request: Call = { kind: 'call', target, arguments: given, node: withRange(query, rest), readOnly }
  return { request, query, output: callOutput(rest, representation, config), representation, called, readOnly }
}

const withUnnamed = (given: ReturnType<typeof readArguments>): Call['arguments'] =>
  given.kind === 'json' ? { ...given, allowUnnamed: true } : given

const callOutput = (rest: RestRequest, representation: Representation, config: RestConfig): OutputOptions => {
  const { preferences } = rest
  return {
    ...readOutput(rest, representation, config),
    exactlyOne: representation.single,
    maxAffected: preferences.handling === 'strict' ? preferences.maxAffected : null,
  }
}
