/** Finding and listing stay quick in a bucket of many objects, also under row-level security: the index is used by the request role itself. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callerFor, type StorageFixture, startStorage } from '../../test/storage.ts'
import { runAs } from '../db/scope.ts'
import { frag, keyword, type Statement, statement } from '../sql/sql.ts'
import { pageByName } from './listing.sql.ts'
import { deleteObjects, findObject, findObjects } from './objects.sql.ts'
import type { Actor } from './types.ts'

const user: Actor = {
  kind: 'caller',
  caller: callerFor('user:11111111-2222-3333-4444-555555555555'),
  operation: 'test',
}
const OBJECTS = 50_000

describe.each(['18', '15'] as const)('in a large bucket on PostgreSQL %s', (version) => {
  let fixture: StorageFixture
  beforeAll(async () => {
    fixture = await startStorage({ version })
    await fixture.db.sql(`
      insert into storage.buckets (id, name) values ('big', 'big'), ('small', 'small');
      create policy mine on storage.objects for all to authenticated using (bucket_id in ('big', 'small') and auth.uid() is not null);
      insert into storage.objects (bucket_id, name, metadata)
      select 'big', 'dir-' || i % 50 || '/sub-' || i % 500 || '/file-' || i, '{"size": 1}' from generate_series(1, ${OBJECTS}) as i;
      insert into storage.objects (bucket_id, name) select 'small', 'f' || i from generate_series(1, 20) as i;
      analyze storage.objects;
    `)
  })
  afterAll(() => fixture.close())

  const explained = async (query: Statement): Promise<string> => {
    const scope = {
      role: 'authenticated',
      claims: callerFor('user:11111111-2222-3333-4444-555555555555').claimsText,
      searchPath: 'public',
    }
    // A statement of ours becomes the body of another; its parameters keep their order.
    const parts = query.text.split(/\$\d+/)
    const inner = parts.reduce(
      (all, text, index) =>
        index === 0 ? frag`${keyword(text)}` : frag`${all}${query.values[index - 1] ?? null}${keyword(text)}`,
      frag``,
    )
    const [result] = await runAs(fixture.db.requests, scope, [
      statement('explain', frag`explain (analyze, costs off) ${inner}`),
    ])
    return (result?.rows ?? []).map(([line]) => line).join('\n')
  }

  const PAGE = {
    bucketId: 'big',
    prefix: '',
    limit: 20,
    delimiter: true,
    after: null,
    sortColumn: 'name',
    sortOrder: 'asc',
  } as const

  it.each([
    ['an object', findObject({ bucketId: 'big', name: 'dir-7/sub-7/file-7' })],
    ['several objects', findObjects('big', ['dir-7/sub-7/file-7', 'dir-8/sub-8/file-8'])],
    ['what is to be removed', deleteObjects('big', ['dir-9/sub-9/file-9'])],
    ['a page of folders', pageByName(PAGE)],
    ['a page of folders, last first', pageByName({ ...PAGE, sortOrder: 'desc' })],
    [
      'a page within a folder',
      pageByName({ ...PAGE, prefix: 'dir-3/', after: { name: 'dir-3/sub-103/', folder: true, at: null } }),
    ],
  ])('%s is found by index', async (_what, query) => {
    const plan = await explained(query)
    expect(plan, plan).toMatch(/Index Cond: .*name/)
    expect(plan, plan).not.toMatch(/Seq Scan on objects/)
    // No step reads more than what it was for.
    for (const [, rows] of plan.matchAll(/Rows Removed by Filter: (\d+)/g)) expect(Number(rows), plan).toBeLessThan(100)
  })

  it('folders are listed with all their neighbours', async () => {
    const top = await fixture.files.listing.folder(user, 'big', { prefix: '', limit: 1000 })
    expect(top.length).toBe(50)
    const inside = await fixture.files.listing.folder(user, 'big', { prefix: 'dir-7', limit: 1000 })
    expect(inside.length).toBe(10)
    const page = await fixture.files.listing.page(user, 'big', { ...PAGE, limit: 1000, cursor: null })
    expect(page.folders).toHaveLength(50)
  })
})
