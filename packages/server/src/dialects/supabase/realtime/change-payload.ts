/** Writes a row change as the `data` of a postgres_changes message. Pure. */
import type { Catalog } from '../../../db/catalog/catalog.ts'
import type { Relation, Row, RowChange } from '../../../feed/change.ts'
import { jsonWriter } from '../../../live/json-values.ts'
import type { Projection } from '../../../live/projection.ts'

/** Above this only short values are told, as upstream does. */
const MAX_RECORD_BYTES = 1024 * 1024
const SHORT_VALUE_BYTES = 64

const REFUSALS = {
  unauthorized: 'Error 401: Unauthorized',
  no_primary_key: 'Error 400: Bad Request, no primary key',
} as const

/** The JSON text of `data`. */
export const changeData = (change: RowChange, projection: Projection, catalog: Catalog): string => {
  const head = [
    `"schema":${JSON.stringify(change.relation.schema)}`,
    `"table":${JSON.stringify(change.relation.name)}`,
    `"commit_timestamp":"${timestamp(change.commitTime)}"`,
    `"type":"${change.op}"`,
  ]
  const { refusal } = projection
  // A delete shows what it can: its old row's key may be readable where the rest is not.
  if (refusal !== null && change.op !== 'DELETE')
    return `{${head.join()},"errors":[${JSON.stringify(REFUSALS[refusal])}]}`
  const writer = new RowWriter(change.relation, catalog)
  const size = rowBytes(change.new) + rowBytes(change.old)
  const limit = size > MAX_RECORD_BYTES ? SHORT_VALUE_BYTES : Number.POSITIVE_INFINITY
  const parts = [...head, `"columns":${writer.columns(projection.columns)}`]
  if (change.op !== 'DELETE') parts.push(`"record":${writer.row(change.new, projection.columns, limit)}`)
  if (change.op === 'UPDATE') {
    // Without an old tuple in the log the key did not change.
    parts.push(`"old_record":${writer.row(change.old ?? change.new, projection.oldColumns, limit)}`)
  }
  if (change.op === 'DELETE') {
    const { primaryKey } = projection.relation
    const shown = projection.rowSecurity
      ? new Set(primaryKey.filter((name) => projection.columns.has(name)))
      : projection.oldColumns
    parts.push(`"old_record":${writer.row(change.old, shown, limit)}`)
  }
  parts.push(`"errors":${limit === SHORT_VALUE_BYTES ? '["Error 413: Payload Too Large"]' : 'null'}`)
  return `{${parts.join()}}`
}

class RowWriter {
  readonly #relation: Relation
  readonly #catalog: Catalog

  constructor(relation: Relation, catalog: Catalog) {
    this.#relation = relation
    this.#catalog = catalog
  }

  columns(shown: ReadonlySet<string>): string {
    const list = this.#relation.columns
      .filter((column) => shown.has(column.name))
      .map(
        (column) =>
          `{"name":${JSON.stringify(column.name)},"type":${JSON.stringify(this.#catalog.types.get(column.typeOid)?.name ?? 'text')}}`,
      )
    return `[${list.join()}]`
  }

  row(row: Row | null, shown: ReadonlySet<string>, limit: number): string {
    if (row === null) return '{}'
    const cells: string[] = []
    this.#relation.columns.forEach((column, index) => {
      const cell = row[index]
      // Undefined is a large value that did not change and that the log does not repeat.
      if (cell === undefined || !shown.has(column.name)) return
      if (cell !== null && cell.length > limit) return
      const value = cell === null ? 'null' : jsonWriter(this.#catalog, column.typeOid)(cell)
      cells.push(`${JSON.stringify(column.name)}:${value}`)
    })
    return `{${cells.join()}}`
  }
}

const rowBytes = (row: Row | null): number => row?.reduce((sum, cell) => sum + (cell?.length ?? 0), 0) ?? 0

/** Milliseconds and Z, as upstream writes it. */
const timestamp = (micros: number): string => new Date(Math.floor(micros / 1000)).toISOString()
