/** The decoder against the npm decoder, on the same bytes of random transactions. */
import fc from 'fast-check'
import { PgoutputPlugin } from 'pg-logical-replication'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTestDatabase, type Major, type TestDatabase } from '../../test/database.ts'
import { frag, ident, join, literal, statement } from '../sql/sql.ts'
import type { Row } from './change.ts'
import { formatLsn } from './lsn.ts'
import { PgoutputDecoder, type PgoutputMessage } from './pgoutput.ts'

const soak = process.env.TEAHOUSE_SOAK === '1'
const SLOT = 'differential'

/** Statements over four tables: default, full, index and no replica identity. */
const step = fc.oneof(
  fc.record({
    kind: fc.constant('insert' as const),
    table: fc.integer({ min: 0, max: 3 }),
    id: fc.integer({ min: 1, max: 6 }),
    text: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !text.includes('\0'))),
    big: fc.boolean(),
  }),
  fc.record({
    kind: fc.constant('update' as const),
    table: fc.integer({ min: 0, max: 2 }),
    id: fc.integer({ min: 1, max: 6 }),
    newId: fc.integer({ min: 1, max: 12 }),
    n: fc.integer(),
  }),
  fc.record({
    kind: fc.constant('delete' as const),
    table: fc.integer({ min: 0, max: 2 }),
    id: fc.integer({ min: 1, max: 6 }),
  }),
  fc.record({ kind: fc.constant('truncate' as const), table: fc.integer({ min: 0, max: 3 }) }),
  fc.record({
    kind: fc.constant('ddl' as const),
    table: fc.integer({ min: 0, max: 3 }),
    column: fc.integer({ min: 0, max: 2 }),
  }),
  fc.record({
    kind: fc.constant('message' as const),
    text: fc.string({ maxLength: 10 }).filter((text) => !text.includes('\0')),
  }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

const toText = (each: Step): string => {
  const table = 'table' in each ? ident('public', `t${each.table}`) : frag``
  const render = () => {
    switch (each.kind) {
      case 'insert': {
        const body = each.big
          ? frag`repeat(md5(random()::text), 400)`
          : each.text === null
            ? frag`null`
            : literal(each.text)
        return frag`insert into ${table} (id, body, n) values (${literal(String(each.id))}, ${body}, 1) on conflict do nothing`
      }
      case 'update':
        return frag`update ${table} set n = ${literal(String(each.n))}, id = ${literal(String(each.newId))} where id = ${literal(String(each.id))} and not exists (select from ${table} where id = ${literal(String(each.newId))})`
      case 'delete':
        return frag`delete from ${table} where id = ${literal(String(each.id))}`
      case 'truncate':
        return frag`truncate ${table}`
      case 'ddl':
        return frag`alter table ${table} drop column if exists ${ident(`extra${each.column}`)}, add column ${ident(`extra${each.column}`)} mood default 'ok'`
      case 'message':
        return frag`select pg_logical_emit_message(true, 'test', ${literal(each.text)})`
    }
  }
  return statement('test', join([render(), frag``], ';')).text
}

describe.each<Major>(['18', '15'])('pgoutput of PostgreSQL %s', (version) => {
  let database: TestDatabase

  beforeAll(async () => {
    database = await createTestDatabase(version)
    await database.sql(`
      create type mood as enum ('ok');
      create table t0 (id int primary key, body text, n int);
      create table t1 (id int primary key, body text, n int);
      alter table t1 replica identity full;
      create table t2 (id int not null, body text, n int);
      create unique index t2_id on t2 (id);
      alter table t2 replica identity using index t2_id;
      create table t3 (id int unique, body text, n int);
      alter table t3 replica identity nothing;
      create publication differential for table t0, t1, t2, t3;`)
    await database.sql(`select pg_create_logical_replication_slot('${SLOT}', 'pgoutput')`)
  })

  afterAll(() => database.drop())

  it('is decoded as the npm decoder does', async () => {
    const numRuns = soak ? 300 : 15
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }),
        async (transactions) => {
          for (const steps of transactions) await database.sql(`begin; ${steps.map(toText).join(' ')} commit;`)
          const rows = await database.owner.many<{ data: Buffer }>({
            name: 'test.changes',
            text: `select data from pg_logical_slot_get_binary_changes('${SLOT}', null, null, 'proto_version', '3', 'publication_names', 'differential', 'messages', 'true')`,
            values: [],
          })
          const ours = new PgoutputDecoder()
          // Both keep the relations of what they have read, so both start anew: the slot describes them again for every call.
          const theirs = new PgoutputPlugin({ protoVersion: 2, publicationNames: ['differential'] })
          for (const { data } of rows) expect(normal(ours.decode(data))).toEqual(foreign(theirs.parse(data)))
        },
      ),
      { seed: 7, numRuns },
    )
  })
})

const cells = (row: Row | null, names: readonly string[]): unknown =>
  row === null
    ? null
    : Object.fromEntries(names.map((name, index) => [name, row[index]]).filter(([, cell]) => cell !== undefined))

/** Our message in plain words. */
const normal = (message: PgoutputMessage): unknown => {
  switch (message.kind) {
    case 'begin':
      return ['begin', formatLsn(message.commitLsn), message.xid, message.commitTime]
    case 'commit':
      return ['commit', formatLsn(message.commitLsn), formatLsn(message.endLsn), message.commitTime]
    case 'relation': {
      const { relation } = message
      return [
        'relation',
        relation.oid,
        relation.schema,
        relation.name,
        relation.identity,
        relation.columns.map((each) => [each.name, each.typeOid, each.typeModifier, each.key]),
      ]
    }
    case 'insert':
    case 'update':
    case 'delete': {
      const names = message.relation.columns.map((column) => column.name)
      const old = 'old' in message ? cells(message.old, names) : null
      return [message.kind, message.relation.name, 'new' in message ? cells(message.new, names) : null, old]
    }
    case 'truncate':
      return ['truncate', message.relations.map((each) => each.name), message.cascade, message.restartIdentity]
    case 'type':
      return ['type', message.oid, message.schema, message.name]
    case 'message':
      return ['message', message.prefix, message.content.toString(), message.transactional]
    case 'origin':
      return ['origin', message.name]
  }
}

/** The npm decoder's message in the same words. It parses values by type, which is undone here, and pads its positions. */
const foreign = (message: ReturnType<PgoutputPlugin['parse']>): unknown => {
  const lsn = (text: string | null) => {
    const [high = '', low = ''] = (text ?? '').split('/')
    return `${Number.parseInt(high, 16).toString(16).toUpperCase()}/${Number.parseInt(low, 16).toString(16).toUpperCase()}`
  }
  const row = (values: Record<string, unknown> | null) =>
    values &&
    Object.fromEntries(
      Object.entries(values)
        .filter(([, value]) => value !== undefined)
        .map(([name, value]) => [name, value === null ? null : String(value)]),
    )
  switch (message.tag) {
    case 'begin':
      return ['begin', lsn(message.commitLsn), message.xid, Number(message.commitTime)]
    case 'commit':
      return ['commit', lsn(message.commitLsn), lsn(message.commitEndLsn), Number(message.commitTime)]
    case 'relation':
      return [
        'relation',
        message.relationOid,
        message.schema,
        message.name,
        message.replicaIdentity,
        message.columns.map((each) => [each.name, each.typeOid, each.typeMod, (each.flags & 1) === 1]),
      ]
    case 'insert':
      return ['insert', message.relation.name, row(message.new), null]
    case 'update':
      return ['update', message.relation.name, row(message.new), row(message.old ?? message.key)]
    case 'delete':
      return ['delete', message.relation.name, null, row(message.old ?? message.key)]
    case 'truncate':
      return ['truncate', message.relations.map((each) => each.name), message.cascade, message.restartIdentity]
    case 'type':
      return ['type', message.typeOid, message.typeSchema, message.typeName]
    case 'message':
      return ['message', message.prefix, Buffer.from(message.content).toString(), message.transactional]
    case 'origin':
      return ['origin', message.originName]
  }
}
