/** No row without bytes, no bytes without a row: after deletes by whomever, failures at every step, and crashes. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  callerFor,
  delegating,
  type StorageFixture,
  type StorageFixtureOptions,
  startStorage,
} from '../../test/storage.ts'
import { systemClock } from '../kernel/clock.ts'
import type { BlobStore } from './blob-store.ts'
import type { Actor, WriteMode } from './types.ts'

const user: Actor = {
  kind: 'caller',
  caller: callerFor('user:11111111-2222-3333-4444-555555555555'),
  operation: 'test',
}
const HOUR = 3_600_000

let fixture: StorageFixture
let fault: (step: 'put' | 'stored' | 'sizeOf') => Promise<void>
// The service lives a day ahead of the file system: everything it finds there is old.
let ahead = 0

const options: StorageFixtureOptions = {
  clock: { ...systemClock, now: () => Date.now() + ahead },
  wrap: (store: BlobStore): BlobStore => ({
    ...delegating(store),
    put: async (id, source) => {
      await fault('put')
      const stored = await store.put(id, source)
      await fault('stored')
      return stored
    },
    sizeOf: async (id) => {
      await fault('sizeOf')
      return store.sizeOf(id)
    },
  }),
}

beforeEach(async () => {
  ahead = 0
  fault = async () => {}
  fixture = await startStorage(options)
  await fixture.db.sql(`
    insert into storage.buckets (id, name) values ('b', 'b');
    create policy everything on storage.objects for all to authenticated using (bucket_id = 'b') with check (bucket_id = 'b');
  `)
})
afterEach(() => fixture.close())

const upload = (name: string, text = 'x', mode: WriteMode = 'create') =>
  fixture.files.uploads.receive(user, {
    bucketId: 'b',
    name,
    mode,
    contentType: 'text/plain',
    announced: null,
    body: Readable.from([Buffer.from(text)]),
  })

const storedIds = async (): Promise<string[]> => {
  const ids: string[] = []
  for await (const { id } of fixture.store.list(Date.now() + HOUR)) ids.push(id)
  return ids.sort()
}
const rowVersions = async (): Promise<string[]> =>
  (
    await fixture.db.owner.many<{ version: string }>({
      name: 'test',
      text: 'select version from storage.objects order by version',
      values: [],
    })
  ).map(({ version }) => version)

describe('bytes go with their row', () => {
  it('when SQL deletes it', async () => {
    await upload('a')
    const kept = await upload('b')
    await fixture.db.sql(`delete from storage.objects where name = 'a'`)
    expect(await fixture.files.collector.drain()).toBe(1)
    expect(await storedIds()).toEqual([kept.version])
  })

  it('when SQL truncates the table', async () => {
    await upload('a')
    await fixture.db.sql('truncate storage.objects')
    await fixture.files.collector.drain()
    expect(await storedIds()).toEqual([])
  })

  it('when the user who owns it is deleted', async () => {
    await fixture.db.sql(`insert into auth.users (id) values ('11111111-2222-3333-4444-555555555555')`)
    await upload('mine')
    await fixture.db.sql('delete from auth.users')
    await fixture.files.collector.drain()
    expect([await rowVersions(), await storedIds()]).toEqual([[], []])
  })

  it('when an upload replaces them', async () => {
    await upload('a', 'old')
    const replaced = await upload('a', 'new', 'upsert')
    await fixture.files.collector.drain()
    expect(await storedIds()).toEqual([replaced.version])
    const stream = await fixture.store.read(replaced.version)
    expect(stream && (await buffer(stream)).toString()).toBe('new')
  })

  it('but not when the row is moved', async () => {
    const { version } = await upload('a')
    await fixture.files.objects.move(user, { bucketId: 'b', name: 'a' }, { bucketId: 'b', name: 'c' })
    await fixture.db.sql(`update storage.objects set name = 'd'`)
    await fixture.files.collector.drain()
    expect(await storedIds()).toEqual([version])
  })

  it('and not while another row names the same bytes', async () => {
    const { version } = await upload('a')
    await fixture.db.sql(
      `insert into storage.objects (bucket_id, name, version) select bucket_id, 'twin', version from storage.objects`,
    )
    await fixture.db.sql(`delete from storage.objects where name = 'a'`)
    await fixture.files.collector.drain()
    expect(await storedIds()).toEqual([version])
    await fixture.db.sql('delete from storage.objects')
    await fixture.files.collector.drain()
    expect(await storedIds()).toEqual([])
  })

  it('by itself, once the service is started', async () => {
    await upload('a')
    await fixture.files.start()
    await fixture.files.objects.remove(user, 'b', ['a'])
    await expect.poll(storedIds, { timeout: 10_000 }).toEqual([])
  })
})

describe('an upload that fails', () => {
  it('leaves nothing when its bytes cannot be stored', async () => {
    fault = async (step) => {
      if (step === 'put') throw new Error('no disk')
    }
    await expect(upload('a')).rejects.toThrow('no disk')
    expect([await rowVersions(), await storedIds()]).toEqual([[], []])
  })

  it('leaves nothing when its row is refused after the bytes are in', async () => {
    fault = async (step) => {
      if (step === 'stored') await fixture.db.sql(`drop policy everything on storage.objects`)
    }
    await expect(upload('a')).rejects.toMatchObject({ reason: 'access_denied' })
    expect([await rowVersions(), await storedIds()]).toEqual([[], []])
  })

  it('leaves nothing of the second when two race for one name', async () => {
    fault = async (step) => {
      if (step !== 'stored') return
      fault = async () => {}
      await upload('a', 'the faster one')
    }
    await expect(upload('a', 'the slower one')).rejects.toMatchObject({ reason: 'object_exists' })
    const [version = ''] = await rowVersions()
    expect(await storedIds()).toEqual([version])
  })

  it('leaves rows and bytes in agreement when the database is cut off while it commits', async () => {
    let cuts = 0
    fault = async (step) => {
      if (step !== 'sizeOf') return
      cuts += 1
      await fixture.db.sql(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and application_name = 'test requests'`,
      )
    }
    await expect(upload('a')).rejects.toMatchObject({ code: 'unavailable' })
    expect(cuts).toBe(1)
    fault = async () => {}
    expect(await storedIds()).toEqual(await rowVersions())
    await upload('a', 'again')
    expect(await storedIds()).toEqual(await rowVersions())
  })
})

describe('a store of another database', () => {
  it('is never swept: a wrong setting must not cost anybody their files', async () => {
    const { version } = await upload('precious')
    ahead = 24 * HOUR
    // The same files, and a database that knows nothing of them.
    const other = await startStorage({ ...options, wrap: () => fixture.store })
    expect(await other.files.collector.bind()).toBe(false)
    expect(await other.files.collector.sweep()).toBe(0)
    await other.close()
    expect(await storedIds()).toEqual([version])
    expect(await fixture.files.collector.bind()).toBe(true)
  })

  it('is not adopted when it has files and no mark', async () => {
    await upload('precious')
    await rm(join(fixture.folder, 'database-id'))
    ahead = 24 * HOUR
    await fixture.db.sql('alter table storage.objects disable trigger all; delete from storage.objects')
    expect(await fixture.files.collector.sweep()).toBe(0)
    expect(await storedIds()).toHaveLength(1)
  })
})

describe('the sweep', () => {
  it('removes the bytes of a process that died before its row, after the grace and not before', async () => {
    const kept = await upload('kept')
    await fixture.store.put('dead-beef-0001', Readable.from([Buffer.from('orphan')]))
    expect(await fixture.files.collector.sweep()).toBe(0)
    ahead = 24 * HOUR
    expect(await fixture.files.collector.sweep()).toBe(1)
    expect(await storedIds()).toEqual([kept.version])
  })

  it('waits for an upload that is committing, and leaves it its bytes', async () => {
    let swept: Promise<number> = Promise.resolve(-1)
    fault = async (step) => {
      if (step !== 'sizeOf') return
      fault = async () => {}
      // The row's transaction holds its lock now. The sweep must block on it rather than look past it.
      ahead = 24 * HOUR
      swept = fixture.files.collector.sweep()
      await expect
        .poll(
          () =>
            fixture.db.owner.many({
              name: 'test',
              text: `select 1 from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`,
              values: [],
            }),
          { timeout: 10_000 },
        )
        .toHaveLength(1)
    }
    const { version } = await upload('a')
    expect(await swept).toBe(0)
    expect(await storedIds()).toEqual([version])
  })

  it('makes an upload fail, rather than lie, whose bytes it took', async () => {
    fault = async (step) => {
      if (step !== 'stored') return
      ahead = 24 * HOUR
      expect(await fixture.files.collector.sweep()).toBe(1)
    }
    await expect(upload('a')).rejects.toMatchObject({ code: 'unavailable' })
    expect([await rowVersions(), await storedIds()]).toEqual([[], []])
  })
})
