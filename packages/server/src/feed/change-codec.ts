/** Changes as text, for the log that nodes share. Pure. */
import type { Cell, Change, Relation, RelationColumn, ReplicaIdentity, Row, RowOperation } from './change.ts'
import type { Watermark } from './lsn.ts'

type WrittenColumn = readonly [name: string, typeOid: number, typeModifier: number, key: 0 | 1]
type WrittenRelation = readonly [
  oid: number,
  schema: string,
  name: string,
  identity: ReplicaIdentity,
  columns: readonly WrittenColumn[],
]
/** 0 is a cell that the log does not hold: JSON has no undefined. */
type WrittenRow = readonly (string | null | 0)[] | null
type WrittenChange = readonly [
  op: RowOperation | 'TRUNCATE' | 'SCHEMA',
  watermark: Watermark,
  xid: number,
  commitTime: number,
  relation?: number,
  next?: WrittenRow,
  old?: WrittenRow,
  oldIsFull?: 0 | 1,
]

interface Written {
  readonly relations: readonly WrittenRelation[]
  readonly changes: readonly WrittenChange[]
}

export const encodeChanges = (batch: readonly Change[]): string => {
  const places = new Map<Relation, number>()
  const placeOf = (relation: Relation): number => {
    const known = places.get(relation)
    if (known !== undefined) return known
    places.set(relation, places.size)
    return places.size - 1
  }
  const changes = batch.map((change): WrittenChange => {
    const { op, watermark, xid, commitTime } = change
    if (change.op === 'SCHEMA') return [op, watermark, xid, commitTime]
    if (change.op === 'TRUNCATE') return [op, watermark, xid, commitTime, placeOf(change.relation)]
    const { relation, new: next, old, oldIsFull } = change
    return [op, watermark, xid, commitTime, placeOf(relation), written(next), written(old), oldIsFull ? 1 : 0]
  })
  const document: Written = { relations: [...places.keys()].map(writtenRelation), changes }
  return JSON.stringify(document)
}

const written = (row: Row | null): WrittenRow =>
  row === null ? null : Array.from(row, (cell) => (cell === undefined ? 0 : cell))

const writtenRelation = ({ oid, schema, name, identity, columns }: Relation): WrittenRelation => [
  oid,
  schema,
  name,
  identity,
  columns.map(({ name: column, typeOid, typeModifier, key }) => [column, typeOid, typeModifier, key ? 1 : 0] as const),
]

const MAX_RELATIONS = 10_000

/** Reads what `encodeChanges` wrote. The same description of a table always becomes the same object: others keep things by it. */
export class ChangeDecoder {
  readonly #relations = new Map<string, Relation>()

  decode(text: string): readonly Change[] {
    // Written by `encodeChanges` of the same version of the product.
    const { relations, changes } = JSON.parse(text) as Written
    const known = relations.map((relation) => this.#relation(relation))
    return changes.map((change) => read(change, known))
  }

  #relation(described: WrittenRelation): Relation {
    const text = JSON.stringify(described)
    const known = this.#relations.get(text)
    if (known !== undefined) return known
    const [oid, schema, name, identity, columns] = described
    const relation = relationOf({
      oid,
      schema,
      name,
      identity,
      columns: columns.map(([column, typeOid, typeModifier, key]) => ({
        name: column,
        typeOid,
        typeModifier,
        key: key === 1,
      })),
    })
    if (this.#relations.size >= MAX_RELATIONS) this.#relations.clear()
    this.#relations.set(text, relation)
    return relation
  }
}

/** A relation with its index. */
export const relationOf = (
  described: Omit<Relation, 'index' | 'columns'> & { columns: readonly RelationColumn[] },
): Relation => ({
  ...described,
  index: new Map(described.columns.map((column, position) => [column.name, position])),
})

const read = (
  [op, watermark, xid, commitTime, place = 0, next = null, old = null, full = 0]: WrittenChange,
  relations: readonly Relation[],
): Change => {
  const position = { watermark, xid, commitTime }
  if (op === 'SCHEMA') return { ...position, op }
  const relation = relations[place]
  if (relation === undefined) throw new RangeError('a change of an undescribed relation')
  if (op === 'TRUNCATE') return { ...position, op, relation }
  return { ...position, op, relation, new: rowOf(next), old: rowOf(old), oldIsFull: full === 1 }
}

const rowOf = (row: WrittenRow): Row | null =>
  row === null ? null : row.map((cell): Cell => (cell === 0 ? undefined : cell))
