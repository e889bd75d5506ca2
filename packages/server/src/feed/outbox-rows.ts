/** From rows of the outbox to changes as the write-ahead log would tell them. Pure. */
import type { Cell, Change, Relation, ReplicaIdentity, Row } from './change.ts'
import { relationOf } from './change-codec.ts'
import { type Watermark, watermarkOf } from './lsn.ts'
import type { OutboxRow, ShapeRow } from './outbox.sql.ts'
import { parseRecord } from './record-text.ts'

/** What a table looked like when its rows were written. */
export interface Shape {
  readonly relation: Relation
  /** Where in a row of the written table each column of the told one is. */
  readonly places: readonly number[]
}

const IDENTITIES: Readonly<Record<string, ReplicaIdentity>> = { d: 'default', n: 'nothing', f: 'full', i: 'index' }

export const shapeOf = (row: ShapeRow): Shape => ({
  relation: relationOf({
    oid: Number(row.told),
    schema: row.schema,
    name: row.name,
    identity: IDENTITIES[row.identity] ?? 'default',
    columns: row.columns.map(([name, typeOid, typeModifier, key]) => ({ name, typeOid, typeModifier, key })),
  }),
  places: row.columns.map(([, , , , place]) => place),
})

/** The change that a row of the outbox stands for; null for one that the log would not tell. `number` is its place in this taking of rows. */
export const changeOf = (row: OutboxRow, shape: Shape | null, watermark: Watermark): Change | null => {
  // The log names transactions by 32 bits.
  const position = { watermark, xid: Number(BigInt.asUintN(32, BigInt(row.xid))), commitTime: Number(row.at) }
  if (row.op === 'S') return { ...position, op: 'SCHEMA' }
  if (shape === null) throw new RangeError('a row of the outbox without its shape')
  const { relation } = shape
  if (row.op === 'T') return { ...position, op: 'TRUNCATE', relation }
  const next = row.next === null ? null : told(row.next, shape)
  const before = row.old === null ? null : told(row.old, shape)
  if (row.op === 'I') return { ...position, op: 'INSERT', relation, new: next, old: null, oldIsFull: false }
  const kept = before === null ? null : identityOf(relation, before)
  if (row.op === 'D') return kept === null ? null : { ...position, op: 'DELETE', relation, new: null, ...kept }
  const sameKey =
    relation.identity !== 'full' &&
    relation.columns.every(({ key }, index) => !key || before?.[index] === next?.[index])
  const old = sameKey || kept === null ? { old: null, oldIsFull: false } : kept
  return { ...position, op: 'UPDATE', relation, new: next, ...old }
}

const told = (text: string, { places }: Shape): Row => {
  const cells = parseRecord(text)
  return places.map((place) => cells[place] ?? null)
}

/** As much of the row before as the table's replica identity keeps: triggers see all of it, and clients must not see more than from the log. */
const identityOf = (relation: Relation, row: Row): { readonly old: Row; readonly oldIsFull: boolean } | null => {
  if (relation.identity === 'full') return { old: row, oldIsFull: true }
  if (!relation.columns.some(({ key }) => key)) return null
  return {
    old: row.map((cell, index): Cell => (relation.columns[index]?.key === true ? cell : undefined)),
    oldIsFull: false,
  }
}

/** Position of the row with a number in a taking of rows. */
export const outboxWatermark = (position: bigint, number: number): Watermark => watermarkOf(position, number)

/** The position after everything that was taken so far. */
export const afterTaken = (position: bigint): Watermark => watermarkOf(position, 0xffffffff)
