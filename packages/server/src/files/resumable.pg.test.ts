/** One upload through several nodes at once. */
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { callerFor, type StorageFixture, startStorage } from '../../test/storage.ts'
import { systemClock } from '../kernel/clock.ts'
import { randomIds } from '../kernel/ids.ts'
import { createLog } from '../observe/log.ts'
import { createFiles } from './files.ts'
import type { Append, Authorise } from './resumable.ts'

const USER = '11111111-2222-3333-4444-555555555555'

let fixture: StorageFixture
beforeAll(async () => {
  fixture = await startStorage()
  await fixture.db.sql(`
    insert into storage.buckets (id, name, public) values ('b', 'b', true);
    create policy "write" on storage.objects for insert to authenticated with check (bucket_id = 'b');
  `)
})
afterAll(() => fixture.close())

const stored = async (name: string) => {
  const { version } = await fixture.files.objects.findPublic({ bucketId: 'b', name })
  const stream = await fixture.store.read(version ?? '')
  return stream === null ? null : buffer(stream)
}
/** Blobs that neither an object nor a part names. */
const left = async () => {
  await fixture.files.collector.drain()
  const rows = await fixture.db.owner.many<{ version: string }>({
    name: 'test',
    text: 'select version from storage.objects union select version from teahouse.upload_part',
    values: [],
  })
  const blobs: string[] = []
  for await (const { id } of fixture.store.list(Number.POSITIVE_INFINITY)) blobs.push(id)
  return blobs.filter((id) => !rows.some(({ version }) => version === id))
}

describe('two nodes', () => {
  const actor = { kind: 'caller', caller: callerFor(`user:${USER}`), operation: 'test' } as const
  const authorise: Authorise = async () => actor
  const node = () => {
    const log = createLog({ level: 'error', stream: process.stderr })
    return createFiles({ ...fixture.db, store: fixture.store, clock: systemClock, ids: randomIds, log }).resumable
  }
  const draft = (name: string, length: number) =>
    ({
      bucketId: 'b',
      name,
      length,
      signed: false,
      mode: 'create',
      contentType: 'text/plain',
      cacheControl: null,
      userMetadata: null,
      description: null,
      concat: null,
    }) as const
  const append = (offset: number, body: Readable): Append => ({ offset, announced: null, body })

  it('never both write: the one that was overtaken stores nothing more', async () => {
    const [one, two] = [node(), node()]
    const { id } = await one.create(actor, draft('nodes', 10))
    const slow = new PassThrough()
    slow.write('01234')
    const taken = expect.poll(() => slow.readableLength).toBe(0)
    const overtaken = one.append(id, authorise, append(0, slow))
    const settled = overtaken.catch((error: unknown) => error)
    await taken
    expect((await two.find(id, authorise)).received).toBe(0)
    expect((await two.append(id, authorise, append(0, Readable.from([Buffer.from('abcde')])))).received).toBe(5)
    slow.end('56789')
    expect(await settled).toMatchObject({ reason: 'upload_overtaken' })
    expect((await two.append(id, authorise, append(5, Readable.from([Buffer.from('fghij')])))).finished).toBe(true)
    expect((await stored('nodes'))?.toString()).toBe('abcdefghij')
    expect(await left()).toEqual([])
  })

  it('agree on one file when many finish at once', async () => {
    const nodes = [node(), node(), node()]
    const { id } = await node().create(actor, draft('once', 4))
    const results = await Promise.allSettled(
      nodes.map((each) => each.append(id, authorise, append(0, Readable.from([Buffer.from('ab'), Buffer.from('cd')])))),
    )
    expect(results.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1)
    let state = await node().find(id, authorise)
    if (!state.finished)
      state = await node().append(
        id,
        authorise,
        append(state.received, Readable.from([Buffer.from('abcd').subarray(state.received)])),
      )
    expect(state).toMatchObject({ received: 4, finished: true })
    expect((await stored('once'))?.toString()).toBe('abcd')
    expect(await left()).toEqual([])
  })
})
