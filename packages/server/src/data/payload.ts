/** The JSON body of a write as rows: typed columns, defaults for what is missing, representations read. */
import type { Column, Relation } from '../db/catalog/catalog.ts'
import { type Fragment, frag, ident, join, keyword, literal, param } from '../sql/sql.ts'
import { DataError } from './errors.ts'
import type { Payload } from './query.ts'
import { type DataContext, representation } from './source.ts'

/** The columns that a body writes. Throws `payload_column_unknown`. */
export const requireColumns = (payload: Payload, relation: Relation): readonly Column[] =>
  payload.columns.map((name) => {
    const column = relation.column(name)
    if (column === undefined)
      throw new DataError({ kind: 'payload_column_unknown', relation: relation.name, column: name })
    return column
  })

/** What an object that lacks the column gets: an identity takes the next number, anything else its default. */
const defaultSql = (column: Column, relation: Relation): string | null => {
  if (column.identity === null) return column.defaultExpression
  const table = [relation.schema, relation.name].map((name) => `"${name.replaceAll('"', '""')}"`).join('.')
  // Text of ours around catalogue names, quoted as literals.
  const chunk = (text: string) =>
    literal(text)
      .chunks.map((each) => ('text' in each ? each.text : ''))
      .join('')
  return `nextval(pg_get_serial_sequence(${chunk(table)}, ${chunk(column.name)}))`
}

/** The JSON body as rows named `body`, one column per written column. */
export const bodyRows = (
  payload: Payload,
  columns: readonly Column[],
  relation: Relation,
  context: DataContext,
): Fragment => {
  const typed = columns.map((column) => {
    const read = representation(column, 'from json', context)
    return frag`${ident(column.name)} ${keyword(read === null ? column.typeName : 'json')}`
  })
  const array = frag`case when json_typeof(payload.data) = 'array' then payload.data else json_build_array(payload.data) end`
  const rows = payload.missing === 'default' ? withDefaults(array, columns, relation) : array
  return frag`(select ${param(payload.json)}::json as data) as payload, lateral (select * from json_to_recordset(${rows}) as r(${join(typed)})) as body`
}

const withDefaults = (array: Fragment, columns: readonly Column[], relation: Relation): Fragment => {
  const defaults = columns.flatMap((column) => {
    const text = defaultSql(column, relation)
    return text === null ? [] : [frag`${param(column.name)}::text, ${keyword(text)}`]
  })
  if (defaults.length === 0) return array
  // Per element, so that each row draws its own uuid or number.
  return frag`(select coalesce(json_agg(jsonb_build_object(${join(defaults)}) || element), '[]') from jsonb_array_elements((${array})::jsonb) as element)`
}

/** What is written into a column. */
export const bodyValue = (column: Column, context: DataContext): Fragment => {
  const read = representation(column, 'from json', context)
  const value = ident('body', column.name)
  return read === null ? value : frag`${read}(${value})`
}
