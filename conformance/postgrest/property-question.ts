/** One random question, twice: as a request, and as SQL written straight from its meaning. */
import {
  type ColumnType,
  type Random,
  type RandomColumn,
  type RandomSchema,
  type RandomTable,
  randomText,
} from './property-schema.ts'

export interface Question {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: string
  /** Selects one column named `answer`. */
  readonly sql: string
  /** Brings an answer into an order that both sides share. */
  normalise(rows: unknown): unknown
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
const literal = (text: string): string =>
  text.includes('\\') ? `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`
const encode = encodeURIComponent

/** A name as the grammar wants it: always quoted. */
const apiName = (name: string): string => `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

const ID: RandomColumn = { name: 'id', type: 'int' }

const byId = (rows: unknown): unknown =>
  Array.isArray(rows)
    ? [...rows].sort((a, b) => Number(Reflect.get(Object(a), 'id')) - Number(Reflect.get(Object(b), 'id')))
    : rows

export const randomQuestion = (schema: RandomSchema, random: Random): Question => {
  const table = random.pick(schema.tables)
  const kind = random.below(10)
  if (kind === 0) return updateQuestion(table, random)
  if (kind === 1) return deleteQuestion(table, random)
  if (kind === 2) return insertQuestion(table, random)
  if (kind === 3) return aggregateQuestion(table, random)
  return readQuestion(schema, table, random)
}

// --- conditions

interface Condition {
  readonly sql: string
  /** As a query parameter: name and value. */
  readonly name: string
  readonly value: string
  /** As a member of a tree. */
  readonly tree: string
}

const COMPARE = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const
const ARRAYS = { cs: '@>', cd: '<@', ov: '&&' } as const

/** A value inside a tree or a list. */
const treeValue = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`

const leaf = (table: RandomTable, alias: string, random: Random): Condition => {
  const column = random.chance(0.3) ? ID : random.pick(table.columns)
  const sqlColumn = `${alias}.${quote(column.name)}`
  const { operator, text, sql, raw } = operation(column.type, sqlColumn, random)
  const negated = random.chance(0.25)
  const prefix = negated ? 'not.' : ''
  return {
    sql: negated ? `not (${sql})` : sql,
    name: apiName(column.name),
    value: `${prefix}${operator}.${text}`,
    tree: `${apiName(column.name)}.${prefix}${operator}.${raw ? text : treeValue(text)}`,
  }
}

interface Operation {
  readonly operator: string
  readonly text: string
  readonly sql: string
  /** The text is grammar itself and must not be quoted in a tree. */
  readonly raw?: boolean
}

const operation = (type: ColumnType, column: string, random: Random): Operation => {
  const text = randomText(type, random)
  const choice = random.below(10)
  if (choice === 0) return { operator: 'is', text: 'null', sql: `${column} is null`, raw: true }
  if (choice === 1) return { operator: 'isdistinct', text, sql: `${column} is distinct from ${literal(text)}` }
  // Postgres has no array of arrays, so `in` does not exist for them.
  if (choice === 2 && type !== 'jsonb' && type !== 'text[]') return listOperation(type, column, random)
  if (type === 'bool' && choice < 6) {
    const word = random.pick(['true', 'false', 'unknown'])
    return { operator: 'is', text: word, sql: `${column} is ${word}`, raw: true }
  }
  if (type === 'text' && choice < 6) return likeOperation(column, text, random)
  if (type === 'text[]' && choice < 7) {
    const operator = random.pick(['cs', 'cd', 'ov'] as const)
    return { operator, text, sql: `${column} ${ARRAYS[operator]} ${literal(text)}` }
  }
  if (type === 'jsonb') return { operator: 'cs', text, sql: `${column} @> ${literal(text)}` }
  const operator = random.pick(['eq', 'neq', 'gt', 'gte', 'lt', 'lte'] as const)
  return { operator, text, sql: `${column} ${COMPARE[operator]} ${literal(text)}` }
}

const listOperation = (type: ColumnType, column: string, random: Random): Operation => {
  const values = Array.from({ length: 1 + random.below(3) }, () => randomText(type, random))
  return {
    operator: 'in',
    // A lone empty string means the empty list, in quotes or not.
    text: `(${values.map(treeValue).join(',')})`,
    sql: values.length === 1 && values[0] === '' ? 'false' : `${column} in (${values.map(literal).join(', ')})`,
    raw: true,
  }
}

const likeOperation = (column: string, text: string, random: Random): Operation => {
  const operator = random.pick(['like', 'ilike'] as const)
  const pattern = random.pick([text, `*${text}*`, `${text}*`, '_*'])
  // A backslash at the end would be an escape of nothing on both sides.
  const safe = pattern.replaceAll('\\', '')
  return { operator, text: safe, sql: `${column} ${operator} ${literal(safe.replaceAll('*', '%'))}` }
}

const tree = (
  table: RandomTable,
  alias: string,
  random: Random,
  depth: number,
): { readonly sql: string; readonly text: string } => {
  if (depth === 0 || random.chance(0.4)) {
    const each = leaf(table, alias, random)
    return { sql: each.sql, text: each.tree }
  }
  const operator = random.pick(['and', 'or'])
  const items = Array.from({ length: 1 + random.below(3) }, () => tree(table, alias, random, depth - 1))
  const negated = random.chance(0.3)
  const sql = `(${items.map((item) => `(${item.sql})`).join(` ${operator} `)})`
  return {
    sql: negated ? `not ${sql}` : sql,
    text: `${negated ? 'not.' : ''}${operator}(${items.map((item) => item.text).join(',')})`,
  }
}

interface Filters {
  readonly parameters: readonly string[]
  readonly sql: string
}

const filters = (table: RandomTable, alias: string, random: Random, prefix = ''): Filters => {
  const parameters: string[] = []
  const conditions: string[] = []
  for (let left = random.below(3); left > 0; left -= 1) {
    const each = leaf(table, alias, random)
    parameters.push(`${prefix}${encode(each.name)}=${encode(each.value)}`)
    conditions.push(each.sql)
  }
  if (random.chance(0.4)) {
    const group = tree(table, alias, random, 3)
    parameters.push(`${prefix}and=${encode(`(${group.text})`)}`)
    conditions.push(group.sql)
  }
  return { parameters, sql: conditions.length === 0 ? 'true' : conditions.map((each) => `(${each})`).join(' and ') }
}

// --- reads

const someColumns = (table: RandomTable, random: Random): readonly RandomColumn[] => [
  ID,
  ...table.columns.filter(() => random.chance(0.6)),
]

interface Embed {
  readonly select: string
  readonly parameters: readonly string[]
  /** SQL of the value, in terms of the outer alias `o`. */
  readonly sql: string
  readonly name: string
  /** SQL of whether there is anything, for an inner join. */
  readonly exists: string | null
}

const readQuestion = (schema: RandomSchema, table: RandomTable, random: Random): Question => {
  const columns = someColumns(table, random)
  const where = filters(table, 'o', random)
  const embed = random.chance(0.5) ? randomEmbed(schema, table, random) : null
  const order = random.chance(0.5)
    ? random.pick(table.columns.filter((column) => column.type !== 'jsonb').concat(ID))
    : null
  const direction = random.pick(['asc', 'desc'])
  const nulls = random.pick(['nullsfirst', 'nullslast'])
  const limit = random.chance(0.4) ? random.below(6) : null
  const offset = random.chance(0.3) ? random.below(4) : 0
  const orderText = [...(order === null ? [] : [`${apiName(order.name)}.${direction}.${nulls}`]), 'id'].join(',')
  const parameters = [
    `select=${encode([...columns.map((column) => apiName(column.name)), ...(embed === null ? [] : [embed.select])].join(','))}`,
    ...where.parameters,
    ...(embed?.parameters ?? []),
    `order=${encode(orderText)}`,
    ...(limit === null ? [] : [`limit=${limit}`]),
    ...(offset === 0 ? [] : [`offset=${offset}`]),
  ]
  const shown = [
    ...columns.map((column) => `o.${quote(column.name)}`),
    ...(embed === null ? [] : [`${embed.sql} as ${quote(embed.name)}`]),
  ]
  const orderSql = [
    ...(order === null
      ? []
      : [`o.${quote(order.name)} ${direction} ${nulls === 'nullsfirst' ? 'nulls first' : 'nulls last'}`]),
    'o.id',
  ].join(', ')
  const inner = embed?.exists ?? 'true'
  return {
    method: 'GET',
    path: `${table.name}?${parameters.join('&')}`,
    sql: `select coalesce(json_agg(r), '[]') as answer from (select ${shown.join(', ')} from ${table.name} o where ${where.sql} and ${inner} order by ${orderSql} ${limit === null ? '' : `limit ${limit}`} offset ${offset}) r`,
    normalise: (rows) => rows,
  }
}

const randomEmbed = (schema: RandomSchema, table: RandomTable, random: Random): Embed | null => {
  const children = schema.tables.filter((each) => each.parent === table.name)
  const parent = schema.tables.find((each) => each.name === table.parent)
  const useParent = parent !== undefined && (children.length === 0 || random.chance(0.5))
  if (useParent) return parentEmbed(parent, random)
  return children.length === 0 ? null : childEmbed(random.pick(children), random)
}

const parentEmbed = (parent: RandomTable, random: Random): Embed => {
  const columns = someColumns(parent, random)
  const where = filters(parent, 'i', random, 'up.')
  const inner = random.chance(0.4)
  const from = `from ${parent.name} i where i.id = o.parent and ${where.sql}`
  return {
    name: 'up',
    select: `up:${parent.name}${inner ? '!inner' : ''}(${columns.map((column) => apiName(column.name)).join(',')})`,
    parameters: where.parameters,
    sql: `(select row_to_json(x) from (select ${columns.map((column) => `i.${quote(column.name)}`).join(', ')} ${from}) x)`,
    exists: inner ? `exists (select 1 ${from})` : null,
  }
}

const childEmbed = (child: RandomTable, random: Random): Embed => {
  const columns = someColumns(child, random)
  const where = filters(child, 'i', random, 'down.')
  const inner = random.chance(0.4)
  const limit = random.chance(0.3) ? 1 + random.below(3) : null
  const from = `from ${child.name} i where i.parent = o.id and ${where.sql}`
  return {
    name: 'down',
    select: `down:${child.name}${inner ? '!inner' : ''}(${columns.map((column) => apiName(column.name)).join(',')})`,
    parameters: [...where.parameters, 'down.order=id.desc', ...(limit === null ? [] : [`down.limit=${limit}`])],
    sql: `(select coalesce(json_agg(x), '[]') from (select ${columns.map((column) => `i.${quote(column.name)}`).join(', ')} ${from} order by i.id desc ${limit === null ? '' : `limit ${limit}`}) x)`,
    exists: inner ? `exists (select 1 ${from})` : null,
  }
}

const aggregateQuestion = (table: RandomTable, random: Random): Question => {
  const where = filters(table, 'o', random)
  const by = random.pick([...table.columns.filter((column) => column.type !== 'jsonb'), ID])
  const parameters = [
    `select=${encode(`by:${apiName(by.name)},n:count(),least:id.min(),total:id.sum()`)}`,
    ...where.parameters,
  ]
  return {
    method: 'GET',
    path: `${table.name}?${parameters.join('&')}`,
    sql: `select coalesce(json_agg(r), '[]') as answer from (select o.${quote(by.name)} as by, count(*) as n, min(id) as least, sum(id) as total from ${table.name} o where ${where.sql} group by o.${quote(by.name)}) r`,
    normalise: (rows) =>
      Array.isArray(rows)
        ? [...rows].sort((a, b) => Number(Reflect.get(Object(a), 'least')) - Number(Reflect.get(Object(b), 'least')))
        : rows,
  }
}

// --- writes

const written = (table: RandomTable): string => ['id', ...table.columns.map((column) => quote(column.name))].join(', ')
const shownOf = (table: RandomTable): string =>
  encode(['id', ...table.columns.map((column) => apiName(column.name))].join(','))

const jsonValue = (column: RandomColumn, random: Random): { readonly json: string; readonly sql: string } => {
  if (random.chance(0.2)) return { json: 'null', sql: 'null' }
  const text = randomText(column.type, random)
  const json =
    column.type === 'jsonb' || column.type === 'int' || column.type === 'bool' || column.type === 'numeric'
      ? text
      : JSON.stringify(text)
  return { json, sql: literal(text) }
}

const updateQuestion = (table: RandomTable, random: Random): Question => {
  const where = filters(table, 'o', random)
  const column = random.pick(table.columns)
  const value = jsonValue(column, random)
  return {
    method: 'PATCH',
    path: `${table.name}?${[`select=${shownOf(table)}`, ...where.parameters].join('&')}`,
    body: `{${JSON.stringify(column.name)}:${value.json}}`,
    sql: `with w as (update ${table.name} o set ${quote(column.name)} = ${value.sql} where ${where.sql} returning ${written(table)}) select coalesce(json_agg(w), '[]') as answer from w`,
    normalise: byId,
  }
}

const deleteQuestion = (table: RandomTable, random: Random): Question => {
  const where = filters(table, 'o', random)
  return {
    method: 'DELETE',
    path: `${table.name}?${[`select=${shownOf(table)}`, ...where.parameters].join('&')}`,
    sql: `with w as (delete from ${table.name} o where ${where.sql} returning ${written(table)}) select coalesce(json_agg(w), '[]') as answer from w`,
    normalise: byId,
  }
}

const insertQuestion = (table: RandomTable, random: Random): Question => {
  const rows = Array.from({ length: 1 + random.below(3) }, (_, index) => ({
    id: random.chance(0.1) ? 1 : 100 + index,
    values: table.columns.map((column) => jsonValue(column, random)),
  }))
  const body = rows.map(
    ({ id, values }) =>
      `{"id":${id},${table.columns.map((column, index) => `${JSON.stringify(column.name)}:${values[index]?.json}`).join(',')}}`,
  )
  const list = rows.map(({ id, values }) => `(${[id, ...values.map((value) => value.sql)].join(', ')})`)
  return {
    method: 'POST',
    path: `${table.name}?select=${shownOf(table)}`,
    body: `[${body.join(',')}]`,
    sql: `with w as (insert into ${table.name} as o (${written(table)}) values ${list.join(', ')} returning ${written(table)}) select coalesce(json_agg(w), '[]') as answer from w`,
    normalise: byId,
  }
}
