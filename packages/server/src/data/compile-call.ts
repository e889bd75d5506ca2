/** Calls of functions: arguments from named text values, a JSON object or the body; the result as rows, one row, or scalars. */
import type { Catalog, Column, FunctionArgument, FunctionInfo, Relation } from '../db/catalog/catalog.ts'
import { type Fragment, frag, ident, join, keyword, param, type SqlValue, statement } from '../sql/sql.ts'
import { type CompiledRequest, plannedStatement, totalSql } from './compile.ts'
import { compileNode, countSql, selectSql } from './compile-read.ts'
import { DataError } from './errors.ts'
import { type ChosenFunction, chooseFunction } from './functions.ts'
import { namedQuery, outputSql } from './output.ts'
import type { Call, CallArguments, OutputOptions } from './query.ts'
import type { DataContext, Source } from './source.ts'

/** What a function's result looks like to a client. */
export type ResultShape = 'void' | 'scalar' | 'scalars' | 'row' | 'rows'

export const resultShape = ({ returns }: FunctionInfo): ResultShape => {
  if (returns.void) return 'void'
  if (returns.composite || returns.typeName === 'record') return returns.set ? 'rows' : 'row'
  return returns.set ? 'scalars' : 'scalar'
}

export const compileCall = (request: Call, options: OutputOptions, context: DataContext): CompiledRequest => {
  const chosen = chooseFunction(request, context)
  const shape = resultShape(chosen.function)
  if (options.maxAffected !== null && !chosen.function.returns.set) throw new DataError({ kind: 'max_affected_call' })
  const scalar = shape === 'scalar' || shape === 'scalars' || shape === 'void'
  return scalar ? scalarCall(request, chosen, shape, options, context) : rowsCall(request, chosen, options, context)
}

/** The relation whose rows a function answers, also by way of a domain. */
export const relationOfResult = ({ returns }: FunctionInfo, catalog: Catalog): Relation | null => {
  let type = catalog.types.get(returns.typeOid)
  while (type !== undefined && type.kind === 'domain') type = catalog.types.get(type.baseOid)
  return catalog.relationOfRowType(type?.oid ?? returns.typeOid) ?? null
}

/** The name by which filters and orders mean a function's plain values. */
const SCALAR = 'pgrst_scalar'

const scalarCall = (
  request: Call,
  chosen: ChosenFunction,
  shape: ResultShape,
  options: OutputOptions,
  context: DataContext,
): CompiledRequest => {
  const { function: called } = chosen
  const { typeOid, typeName } = called.returns
  const columns = [outputColumn(SCALAR, typeOid, typeName, 1, context.catalog)]
  const source: Source = { alias: 't0', name: called.name, relation: null, columns, row: ident('t0') }
  // Whatever names a column that is not there is refused here, not ignored.
  const node = { ...compileNode(request.node, source, context), columns: [] }
  const from = keyword('called as t0')
  const { before, call } = callSql(chosen, request.arguments)
  const invoked = frag`select c.value as ${ident(SCALAR)} from ${before}lateral (select ${call} as value) as c`
  const shown = selectSql(node, from, { extra: [frag`${ident('t0', SCALAR)} as scalar`] })
  const { total, counter } = totalSql(countSql(node, from), options)
  const main = outputSql(
    {
      with: [namedQuery('called', invoked), namedQuery('source', shown), ...counter],
      total,
      scalar: shape === 'scalars' ? 'set' : 'one',
    },
    options,
  )
  return {
    main: statement('data.call', main),
    planned: plannedStatement(frag`select 1 from (${invoked}) as t0`, options),
  }
}

const rowsCall = (
  request: Call,
  chosen: ChosenFunction,
  options: OutputOptions,
  context: DataContext,
): CompiledRequest => {
  const { function: called } = chosen
  const relation = relationOfResult(called, context.catalog)
  const source: Source = {
    alias: 't0',
    name: relation?.name ?? called.name,
    relation,
    columns: rowColumns(called, context.catalog) ?? relation?.columns ?? null,
    row: relation === null ? ident('t0') : frag`t0::${ident(relation.schema, relation.name)}`,
  }
  const { before, call } = callSql(chosen, request.arguments)
  const node = compileNode(request.node, source, context)
  const from = keyword('called as t0')
  const { total, counter } = totalSql(countSql(node, from), options)
  const invoked = namedQuery(
    'called',
    frag`select c.* from ${before}${before === NO_BODY ? keyword('') : keyword('lateral ')}${call} as c`,
  )
  const main = outputSql(
    {
      with: [invoked, namedQuery('source', selectSql(node, from)), ...counter],
      total,
      single: !called.returns.set,
      rowType: relation === null ? null : ident(relation.schema, relation.name),
    },
    options,
  )
  const planned = plannedStatement(frag`select 1 from (select c.* from ${before}${call} as c) as t0`, options)
  return { main: statement('data.call', main), planned }
}

/** The columns of a function's rows: of its type, or of its output arguments. Null when only the call can tell. */
const rowColumns = (called: FunctionInfo, catalog: Catalog): readonly Column[] | null => {
  const composite = catalog.columnsOfRowType(called.returns.typeOid)
  if (composite !== undefined) return composite
  if (called.outputs.length === 0) return null
  return called.outputs.map(({ name, typeOid, typeName }, index) =>
    outputColumn(name, typeOid, typeName, index + 1, catalog),
  )
}

const outputColumn = (name: string, typeOid: number, typeName: string, position: number, catalog: Catalog): Column => {
  let base = catalog.types.get(typeOid)
  const domain = base?.kind === 'domain' ? base.formatted : null
  while (base !== undefined && base.kind === 'domain') base = catalog.types.get(base.baseOid)
  return {
    name,
    position,
    typeOid,
    typeName,
    plainType: typeName,
    baseType: base?.formatted ?? typeName,
    baseTypeOid: base?.oid ?? typeOid,
    domain,
    nullable: true,
    defaultExpression: null,
    generated: false,
    identity: null,
    maxLength: null,
    enumLabels: base?.enumLabels ?? [],
    description: null,
    collation: null,
  }
}

// --- arguments

const NO_BODY = keyword('')

interface CallSql {
  /** What stands before the call in `from`: the JSON body as a row, or nothing. */
  readonly before: Fragment
  readonly call: Fragment
}

const callSql = ({ function: called, unnamed }: ChosenFunction, given: CallArguments): CallSql => {
  const name = ident(called.schema, called.name)
  const [first] = called.inputs
  if (unnamed && first !== undefined) {
    const body: SqlValue = given.kind === 'json' ? given.json : given.kind === 'body' ? given.body : ''
    return { before: NO_BODY, call: frag`${name}(${param(body)}::${keyword(first.typeName)})` }
  }
  if (given.kind === 'json') return jsonCall(called, name, given.json, given.keys)
  const values = given.kind === 'named' ? given.values : []
  const passed = called.inputs.filter((input) => values.some(([key]) => key === input.name))
  return { before: NO_BODY, call: frag`${name}(${join(passed.map((input) => namedArgument(input, values)))})` }
}

const jsonCall = (called: FunctionInfo, name: Fragment, json: string, keys: readonly string[]): CallSql => {
  const passed = called.inputs.filter((input) => keys.includes(input.name))
  if (passed.length === 0) return { before: NO_BODY, call: frag`${name}()` }
  const columns = passed.map((input) => frag`${ident(input.name)} ${keyword(bodyType(input.typeName))}`)
  const list = passed.map((input) => frag`${variadic(input)}${ident(input.name)} := ${ident('body', input.name)}`)
  return {
    before: frag`json_to_record(${param(json)}::json) as body(${join(columns)}), `,
    call: frag`${name}(${join(list)})`,
  }
}

/** Types whose bare name means length one. */
const UNBOUNDED: Readonly<Record<string, string>> = {
  bit: 'bit varying',
  'bit[]': 'bit varying[]',
  character: 'character varying',
  'character[]': 'character varying[]',
}

const bodyType = (name: string): string => UNBOUNDED[name] ?? name

const variadic = (input: FunctionArgument): Fragment => keyword(input.variadic ? 'variadic ' : '')

const namedArgument = (input: FunctionArgument, values: readonly (readonly [string, string])[]): Fragment => {
  const given = values.filter(([key]) => key === input.name).map(([, text]) => text)
  const value: SqlValue = input.variadic ? given : (given.at(-1) ?? null)
  return frag`${variadic(input)}${ident(input.name)} := ${param(value)}::${keyword(bodyType(input.typeName))}`
}
