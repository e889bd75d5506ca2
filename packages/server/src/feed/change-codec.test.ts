/** Changes as text: what one node writes another one reads, undefined and null apart. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { runs } from '../../test/arbitraries.ts'
import type { Cell, Change, Relation, Row } from './change.ts'
import { ChangeDecoder, encodeChanges, relationOf } from './change-codec.ts'
import { watermarkOf } from './lsn.ts'

const column = fc.record({
  name: fc.string({ minLength: 1 }),
  typeOid: fc.nat(),
  typeModifier: fc.integer(),
  key: fc.boolean(),
})
const relation: fc.Arbitrary<Relation> = fc
  .record({
    oid: fc.nat(),
    schema: fc.string(),
    name: fc.string(),
    identity: fc.constantFrom('default', 'nothing', 'full', 'index'),
    columns: fc.array(column, { maxLength: 5 }),
  })
  .map(relationOf)
const row: fc.Arbitrary<Row> = fc.array(fc.oneof(fc.string(), fc.constantFrom<Cell>(null, undefined)), { maxLength: 5 })

const changes: fc.Arbitrary<readonly Change[]> = fc.array(relation, { minLength: 1, maxLength: 3 }).chain((relations) =>
  fc.array(
    fc
      .tuple(
        fc.nat(),
        fc.nat(1000),
        fc.constantFrom(...relations),
        fc.option(row),
        fc.option(row),
        fc.boolean(),
        fc.nat(4),
      )
      .map(([xid, index, of, next, old, oldIsFull, kind]): Change => {
        const position = { watermark: watermarkOf(BigInt(xid), index), xid, commitTime: index }
        if (kind === 0) return { ...position, op: 'SCHEMA' }
        if (kind === 1) return { ...position, op: 'TRUNCATE', relation: of }
        const op = kind === 2 ? 'INSERT' : kind === 3 ? 'UPDATE' : 'DELETE'
        return { ...position, op, relation: of, new: next, old, oldIsFull }
      }),
    { maxLength: 10 },
  ),
)

it('changes are read as they were written', () => {
  fc.assert(
    fc.property(changes, (batch) => {
      expect(new ChangeDecoder().decode(encodeChanges(batch))).toEqual(batch)
    }),
    runs(200),
  )
})

it('the same description of a table becomes the same object', () => {
  const decoder = new ChangeDecoder()
  const described = (): Change => ({
    op: 'TRUNCATE',
    watermark: watermarkOf(1n, 0),
    xid: 1,
    commitTime: 0,
    relation: relationOf({ oid: 1, schema: 'public', name: 't', identity: 'default', columns: [] }),
  })
  const [one, two] = [decoder.decode(encodeChanges([described()])), decoder.decode(encodeChanges([described()]))]
  expect(one[0]?.op === 'TRUNCATE' && one[0].relation).toBe(two[0]?.op === 'TRUNCATE' && two[0].relation)
})
