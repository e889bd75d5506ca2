/** Files on a database whose owner is an ordinary role: no superuser, no bypassrls, no right to create roles. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { asAdmin } from '../../test/database.ts'
import { toClientConfig, withDatabase } from '../../test/shared-clusters.ts'
import { callerFor } from '../../test/storage.ts'
import { Pool } from '../db/pool.ts'
import { migrate, readMigrations } from '../db/prepare/migrate.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import { createLog } from '../observe/log.ts'
import { createFiles, type Files } from './files.ts'
import { createDiskStore } from './stores/disk.ts'
import type { Actor } from './types.ts'

const actor = (proof: string): Actor => ({ kind: 'caller', caller: callerFor(proof), operation: 'test' })

describe.each(['18', '15'] as const)('a plain owner on PostgreSQL %s', (version) => {
  const role = `plain_${randomIds.uuid().slice(0, 8)}`
  const admin = inject('clusters')[version]
  let owner: Pool
  let files: Files
  let folder: string

  beforeAll(async () => {
    await asAdmin(admin, `create role ${role} login password 'plain' nosuperuser nocreaterole nobypassrls`)
    const option = version === '18' ? 'with inherit true, set true' : ''
    await asAdmin(admin, `grant anon, authenticated, service_role to ${role} ${option}`)
    await asAdmin(admin, `create database ${role} owner ${role}`)
    const connection = { ...toClientConfig(withDatabase(admin, role)), user: role, password: 'plain' }
    owner = new Pool({ connection, max: 5, applicationName: 'plain owner', serviceRole: role })
    await migrate(owner, await readMigrations())
    folder = await mkdtemp(join(tmpdir(), 'teahouse-plain-'))
    const log = createLog({ level: 'error', stream: process.stderr })
    const store = createDiskStore({ folder })
    files = createFiles({ owner, requests: owner, store, clock: systemClock, ids: randomIds, log })
  })
  afterAll(async () => {
    await files.stop()
    await owner.end()
    await asAdmin(admin, `drop database ${role} with (force)`)
    await rm(folder, { recursive: true, force: true })
  })

  const write = (as: Actor, name: string) =>
    files.uploads.receive(as, {
      bucketId: 'images',
      name,
      mode: 'create',
      contentType: 'text/plain',
      announced: null,
      body: Readable.from([Buffer.from('tea')]),
    })

  it('runs the scripts that people have, and its buckets work at once', async () => {
    await owner.script(`
      insert into storage.buckets (id, name, public) values ('images', 'images', true);
      alter table storage.objects enable row level security;
      create policy "允许任何用户发送图片1ffg0oo_0" on storage.objects for insert to public with check (bucket_id = 'images');
      create policy "Give users access to own folder" on storage.objects for select to authenticated
        using (bucket_id = 'images' and (select auth.uid()::text) = (storage.foldername(name))[1]);
    `)
    await write(actor('anon'), 'a.txt')
    const found = await files.objects.findPublic({ bucketId: 'images', name: 'a.txt' })
    const stream = await files.store.read(found.version ?? '')
    expect(stream && (await buffer(stream)).toString()).toBe('tea')
    await expect(files.objects.find(actor('anon'), found)).rejects.toMatchObject({ reason: 'object_not_found' })
  })

  it('lets the service key do everything, although its role bypasses nothing here', async () => {
    await write(actor('service_role'), 'b.txt')
    expect((await files.objects.remove(actor('service_role'), 'images', ['b.txt'])).length).toBe(1)
    await files.buckets.create(actor('service_role'), { id: 'more' })
    await files.buckets.remove(actor('service_role'), 'more')
  })

  it('collects the bytes of what SQL deletes', async () => {
    await owner.script('delete from storage.objects')
    await files.collector.drain()
    const ids: string[] = []
    for await (const { id } of files.store.list(Date.now() + 60_000)) ids.push(id)
    expect(ids).toEqual([])
  })
})
