/** Writes documents into relational tables: fields are columns, `_id` is the key, and row-level security is the table's own. */
import type { Column } from '../../db/catalog/catalog.ts'
import { equalValues } from '../../expr/bson/compare.ts'
import { DateTime, type Doc, fieldOf, isArray, isDoc, isNumber, toNumber, type Value } from '../../expr/bson/value.ts'
import type { Json } from '../../kernel/json.ts'
import { frag, ident, join, keyword, statement } from '../../sql/sql.ts'
import { toJson } from './ejson.ts'
import { DocumentError } from './errors.ts'
import type { DocumentId } from './requests.ts'
import type { Batch } from './runner.ts'
import { isNumberColumn, type Target } from './target.ts'

const parts = (target: Target): { readonly key: Column; readonly columns: readonly Column[] } => {
  if (target.key === null || target.relation === null)
    throw new DocumentError('unsupported', 'this is no table with a key')
  return { key: target.key, columns: target.relation.columns }
}

/** A document's fields as columns. Throws `invalid_param` on a field that is none. */
const columnsOf = (target: Target, doc: Doc): Readonly<Record<string, Json>> => {
  const { key, columns } = parts(target)
  const row: Record<string, Json> = Object.create(null)
  for (const [field, value] of Object.entries(doc)) {
    const name = field === '_id' && !columns.some((column) => column.name === '_id') ? key.name : field
    const column = columns.find((each) => each.name === name)
    // The owner of a row is a matter of tables that have such a column.
    if (column === undefined && field === '_openid') continue
    if (column === undefined)
      throw new DocumentError('invalid_param', `the table "${target.name}" has no column "${field}"`)
    row[name] = columnValue(value)
  }
  return row
}

const columnValue = (value: Value): Json => {
  if (value instanceof DateTime) return new Date(value.millis).toISOString()
  if (isArray(value)) return value.map(columnValue)
  return isDoc(value) ? toJson(value, 'relaxed') : toJson(value, 'plain')
}

export const insertRows = async (
  target: Target,
  batch: Batch,
  documents: readonly Doc[],
): Promise<readonly DocumentId[]> => {
  const { key } = parts(target)
  const ids: DocumentId[] = []
  for (const doc of documents) {
    const row = columnsOf(target, doc)
    const names = Object.keys(row).map((name) => ident(name))
    const body =
      names.length === 0
        ? keyword('default values')
        : frag`(${join(names)}) select ${join(names.map((name) => frag`r.${name}`))} from jsonb_populate_record(null::${target.table}, ${JSON.stringify(row)}::jsonb) as r`
    const [result] = await batch([
      statement('documents.insert_row', frag`insert into ${target.table} ${body} returning ${ident(key.name)}::text`),
    ])
    const id = result?.rows[0]?.[0] ?? ''
    ids.push(isNumberColumn(key) ? Number(id) : id)
  }
  return ids
}

/** Writes the columns that changed. */
export const writeRows = async (target: Target, batch: Batch, before: Doc, after: Doc): Promise<void> => {
  const { key } = parts(target)
  const changed = Object.fromEntries(
    Object.entries(after).filter(
      ([name, value]) => !equalValues(fieldOf(before, name), value) || !Object.hasOwn(before, name),
    ),
  )
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name))
  const nulls = Object.fromEntries(gone.map((name) => [name, null]))
  const row = columnsOf(target, { ...changed, ...nulls })
  const names = Object.keys(row).map((name) => ident(name))
  if (names.length === 0) return
  const id = fieldOf(before, '_id')
  const text = isNumber(id) ? String(toNumber(id)) : String(id)
  const [result] = await batch([
    statement(
      'documents.update_row',
      frag`update ${target.table} as t
              set ${join(names.map((name) => frag`${name} = r.${name}`))}
             from jsonb_populate_record(null::${target.table}, ${JSON.stringify(row)}::jsonb) as r
            where t.${ident(key.name)}::text = ${text}::text`,
    ),
  ])
  if (result?.rowCount !== 1) throw new DocumentError('permission_denied', 'Permission denied')
}

export const removeRows = async (target: Target, batch: Batch, ids: readonly string[]): Promise<number> => {
  const { key } = parts(target)
  const [result] = await batch([
    statement(
      'documents.remove_rows',
      frag`delete from ${target.table} as t where t.${ident(key.name)}::text = any (${ids}::text[])`,
    ),
  ])
  return result?.rowCount ?? 0
}
