/** Who may do what: every operation under every combination of policies that matters, as Postgres itself decides it. */
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callerFor, type StorageFixture, startStorage } from '../../test/storage.ts'
import { reasonOf } from './errors.ts'
import type { Actor, Address, WriteMode } from './types.ts'

type Command = 'select' | 'insert' | 'update' | 'delete'

const USER = '11111111-2222-3333-4444-555555555555'
const user: Actor = { kind: 'caller', caller: callerFor(`user:${USER}`), operation: 'test' }
const anon: Actor = { kind: 'caller', caller: callerFor('anon'), operation: 'test' }
const service: Actor = { kind: 'caller', caller: callerFor('service_role'), operation: 'test' }
const system: Actor = { kind: 'system', ownerId: null }

const COMBINATIONS: readonly (readonly Command[])[] = Array.from({ length: 16 }, (_, bits) =>
  (['select', 'insert', 'update', 'delete'] as const).filter((_command, index) => bits & (1 << index)),
)
const bucketOf = (granted: readonly Command[]): string => `b-${granted.join('-') || 'none'}`

/** What each operation needs, beyond being asked. */
const NEEDS: Readonly<Record<string, readonly Command[]>> = {
  create: ['insert'],
  'upsert of a new object': ['insert', 'select'],
  'upsert of an existing object': ['insert', 'select', 'update'],
  'update of an existing object': ['select', 'update'],
  'update of a new object': ['insert', 'select'],
  'signed upload': ['insert'],
  find: ['select'],
  list: ['select'],
  'list by page': ['select'],
  remove: ['select', 'delete'],
  move: ['select', 'update'],
  copy: ['select', 'insert'],
}

describe.each(['18', '15'] as const)('on PostgreSQL %s', (version) => {
  let fixture: StorageFixture
  beforeAll(async () => {
    fixture = await startStorage({ version })
    for (const granted of COMBINATIONS) {
      const bucket = bucketOf(granted)
      await fixture.db.sql(`insert into storage.buckets (id, name) values ('${bucket}', '${bucket}')`)
      for (const command of granted) {
        const using = command === 'insert' ? '' : `using (bucket_id = '${bucket}')`
        const check = command === 'insert' || command === 'update' ? `with check (bucket_id = '${bucket}')` : ''
        await fixture.db.sql(
          `create policy "${bucket} ${command}" on storage.objects for ${command} to authenticated ${using} ${check}`,
        )
      }
    }
    await fixture.db.sql(`
      insert into storage.buckets (id, name) values ('own', 'own');
      create policy "own folder" on storage.objects for all to authenticated
        using (bucket_id = 'own' and (storage.foldername(name))[1] = auth.uid()::text)
        with check (bucket_id = 'own' and owner = auth.uid() and owner_id = auth.uid()::text
          and (storage.foldername(name))[1] = auth.uid()::text and storage.extension(name) = 'png');
    `)
  })
  afterAll(() => fixture.close())

  const write = (actor: Actor, address: Address, mode: WriteMode) =>
    fixture.files.uploads.receive(actor, {
      ...address,
      mode,
      contentType: 'text/plain',
      announced: 1,
      body: Readable.from([Buffer.from('x')]),
    })
  const fresh = (bucketId: string): Address => ({ bucketId, name: `${crypto.randomUUID()}.png` })
  const existing = async (bucketId: string): Promise<Address> => write(system, fresh(bucketId), 'create')

  const ATTEMPTS: Readonly<Record<string, (actor: Actor, bucketId: string) => Promise<unknown>>> = {
    create: (actor, bucketId) => write(actor, fresh(bucketId), 'create'),
    'upsert of a new object': (actor, bucketId) => write(actor, fresh(bucketId), 'upsert'),
    'upsert of an existing object': async (actor, bucketId) => write(actor, await existing(bucketId), 'upsert'),
    'update of an existing object': async (actor, bucketId) => write(actor, await existing(bucketId), 'replace'),
    'update of a new object': (actor, bucketId) => write(actor, fresh(bucketId), 'replace'),
    'signed upload': (actor, bucketId) => fixture.files.uploads.assertMayUpload(actor, fresh(bucketId), 'create'),
    find: async (actor, bucketId) => fixture.files.objects.find(actor, await existing(bucketId)),
    list: async (actor, bucketId) => {
      await existing(bucketId)
      return (await fixture.files.listing.folder(actor, bucketId, { prefix: '' })).length
    },
    'list by page': async (actor, bucketId) => {
      await existing(bucketId)
      const query = {
        prefix: '',
        limit: 10,
        delimiter: true,
        cursor: null,
        sortColumn: 'name',
        sortOrder: 'asc',
      } as const
      return (await fixture.files.listing.page(actor, bucketId, query)).objects.length
    },
    remove: async (actor, bucketId) =>
      (await fixture.files.objects.remove(actor, bucketId, [(await existing(bucketId)).name])).length,
    move: async (actor, bucketId) => fixture.files.objects.move(actor, await existing(bucketId), fresh(bucketId)),
    copy: async (actor, bucketId) =>
      fixture.files.objects.copy(actor, await existing(bucketId), fresh(bucketId), { mode: 'create' }),
  }

  /** True when it worked, false when it was refused in a way that is one of ours. Nothing else may happen. */
  const tried = async (work: Promise<unknown>): Promise<boolean> => {
    try {
      return (await work) !== 0
    } catch (error) {
      if (!['access_denied', 'object_not_found'].includes(reasonOf(error) ?? '')) throw error
      return false
    }
  }

  it.each(Object.keys(NEEDS))('allows %s exactly to those whose policies say so', async (operation) => {
    const attempt = ATTEMPTS[operation] ?? (() => Promise.resolve())
    const wrong: string[] = []
    for (const granted of COMBINATIONS) {
      const bucket = bucketOf(granted)
      const may = (NEEDS[operation] ?? []).every((command) => granted.includes(command))
      if ((await tried(attempt(user, bucket))) !== may) wrong.push(`user in ${bucket}`)
      if (await tried(attempt(anon, bucket))) wrong.push(`anon in ${bucket}`)
    }
    if (!(await tried(attempt(service, bucketOf([]))))) wrong.push('service_role')
    expect(wrong).toEqual([])
  })

  it('keeps no bytes of what was refused', async () => {
    await fixture.files.collector.drain()
    const rows = await fixture.db.owner.many<{ version: string }>({
      name: 'test',
      text: 'select version from storage.objects',
      values: [],
    })
    const stored: string[] = []
    for await (const { id } of fixture.store.list(Date.now() + 60_000)) stored.push(id)
    expect(stored.sort()).toEqual(rows.map((row) => row.version).sort())
  })

  it("judges owner, folder and extension by the caller's claims", async () => {
    const may = (actor: Actor, name: string) => tried(write(actor, { bucketId: 'own', name }, 'upsert'))
    expect(await may(user, `${USER}/a/b.png`)).toBe(true)
    expect(await may(user, `${USER}/a/b.exe`)).toBe(false)
    expect(await may(user, 'someone-else/b.png')).toBe(false)
    expect(await may(anon, `${USER}/c.png`)).toBe(false)
    // Neither can an object be moved or copied out of what one may write.
    const from = { bucketId: 'own', name: `${USER}/a/b.png` }
    const to = { bucketId: 'own', name: 'someone-else/b.png' }
    expect(await tried(fixture.files.objects.move(user, from, to))).toBe(false)
    expect(await tried(fixture.files.objects.copy(user, from, to, { mode: 'create' }))).toBe(false)
    expect(await tried(fixture.files.objects.move(user, from, { ...from, name: `${USER}/moved.png` }))).toBe(true)
  })

  describe('buckets', () => {
    it('are invisible and untouchable without policies', async () => {
      const { buckets } = fixture.files
      for (const actor of [anon, user]) {
        expect(await buckets.list(actor, {})).toEqual([])
        await expect(buckets.find(actor, 'own')).rejects.toMatchObject({ reason: 'bucket_not_found' })
        await expect(buckets.create(actor, { id: 'mine' })).rejects.toMatchObject({ reason: 'access_denied' })
        await expect(buckets.update(actor, 'own', { public: true })).rejects.toMatchObject({
          reason: 'bucket_not_found',
        })
        await expect(buckets.empty(actor, 'own')).rejects.toMatchObject({ reason: 'bucket_not_found' })
        await expect(buckets.remove(actor, 'own')).rejects.toMatchObject({ reason: 'bucket_not_found' })
      }
      // The bucket of another dialect is there from the beginning.
      const found = (await buckets.list(service, {})).filter(({ id }) => id !== 'cloud')
      expect(found.length).toBe(COMBINATIONS.length + 1)
    })

    it('can be opened to users one command at a time', async () => {
      await fixture.db.sql(`
        create policy make on storage.buckets for insert to authenticated with check (owner_id = auth.uid()::text);
        create policy look on storage.buckets for select to authenticated using (owner_id = auth.uid()::text);
      `)
      const { buckets } = fixture.files
      await buckets.create(user, { id: 'mine' })
      await expect(buckets.create(user, { id: 'mine' })).rejects.toMatchObject({ reason: 'bucket_exists' })
      expect((await buckets.list(user, {})).map(({ id }) => id)).toEqual(['mine'])
      await expect(buckets.update(user, 'mine', { public: true })).rejects.toMatchObject({ reason: 'bucket_not_found' })
      await expect(buckets.remove(user, 'mine')).rejects.toMatchObject({ reason: 'bucket_not_found' })
      await buckets.remove(service, 'mine')
    })
  })
})
